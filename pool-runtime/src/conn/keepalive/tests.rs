use std::future::poll_fn;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};
use tokio::time::{advance, timeout};

use super::*;
use crate::conn::handshake::{Http2, Http2Settings, Ready, handshake};
use crate::conn::pace::Pace;

const SECOND: Duration = Duration::from_secs(1);
const CONFIG: KeepAliveConfig = KeepAliveConfig {
    interval: Duration::from_secs(10),
    timeout: Duration::from_secs(20),
    while_idle: false,
};

type Server = h2::server::Connection<DuplexStream, bytes::Bytes>;

/// A connection with keepalive. Its peer answers only where a test has it do so.
struct Rig {
    keepalive: KeepAlive,
    http2: Http2<DuplexStream>,
    pace: Arc<Pace>,
    /// Keeps the connection open.
    _send: h2::client::SendRequest<bytes::Bytes>,
}

impl Rig {
    async fn new(config: KeepAliveConfig) -> (Self, Server) {
        let (ours, theirs) = duplex(1 << 16);
        let pace = Arc::new(Pace::default());
        let settings = Http2Settings::default();
        let (ready, server) = tokio::join!(handshake(ours, &settings, &pace), h2::server::handshake(theirs));
        let Ready { mut http2, send, .. } = ready.unwrap();
        let pings = http2.ping_pong().unwrap();
        let rig = Self {
            keepalive: KeepAlive::new(config, pings),
            http2,
            pace,
            _send: send,
        };
        (rig, server.unwrap())
    }

    fn poll(&mut self, cx: &mut Context<'_>, busy: bool) -> Poll<Dead> {
        self.keepalive.before_turn(|| busy);
        self.pace.allow(usize::MAX);
        assert!(
            Pin::new(&mut self.http2).poll(cx).is_pending(),
            "the connection stays up"
        );
        self.keepalive.poll(cx, self.pace.read(), || busy)
    }

    /// Lets the connection be for so long. `Ok` when it was found dead.
    async fn dies_within(&mut self, time: Duration, busy: bool) -> Result<Dead, tokio::time::error::Elapsed> {
        timeout(time, poll_fn(|cx| self.poll(cx, busy))).await
    }

    /// Lets time pass without the peer, and polls once with so many bytes read in all.
    async fn after(&mut self, time: Duration, read: u64) -> Poll<Dead> {
        advance(time).await;
        poll_fn(|cx| Poll::Ready(self.keepalive.poll(cx, read, || true))).await
    }
}

fn serve(mut server: Server) {
    tokio::spawn(async move { while server.accept().await.is_some() {} });
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_is_found_dead() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    let began = Instant::now();
    assert_eq!(rig.dies_within(1_000 * SECOND, true).await, Ok(Dead));
    let took = began.elapsed();
    let expected = CONFIG.interval + CONFIG.timeout;
    assert!((expected..expected + SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ping_follows_the_last_sign_of_the_peer_by_one_interval() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    let last_sign = CONFIG.interval * 4 / 10;
    assert_eq!(rig.after(last_sign, 1).await, Poll::Pending);
    assert_eq!(rig.after(CONFIG.interval - SECOND, 1).await, Poll::Pending);
    assert!(!rig.keepalive.awaiting, "a second before its time");
    assert_eq!(rig.after(SECOND, 1).await, Poll::Pending);
    assert!(rig.keepalive.awaiting, "in time");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_lives_and_is_pinged_again_and_again() {
    let (mut rig, server) = Rig::new(CONFIG).await;
    serve(server);
    let mut written = rig.pace.written();
    for _ in 0..5 {
        rig.dies_within(3 * CONFIG.interval, true).await.unwrap_err();
        assert!(rig.pace.written() > written, "it was pinged");
        written = rig.pace.written();
    }
}

#[tokio::test(start_paused = true)]
async fn without_calls_a_peer_is_pinged_only_if_that_was_asked_for() {
    let (mut rig, server) = Rig::new(CONFIG).await;
    serve(server);
    // The acknowledgements of the handshake.
    rig.dies_within(SECOND, false).await.unwrap_err();
    let written = rig.pace.written();
    rig.dies_within(1_000 * SECOND, false).await.unwrap_err();
    assert_eq!(rig.pace.written(), written, "not a byte");

    let while_idle = true;
    let (mut rig, _silent) = Rig::new(KeepAliveConfig { while_idle, ..CONFIG }).await;
    assert_eq!(rig.dies_within(1_000 * SECOND, false).await, Ok(Dead));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_anything_at_all_is_not_pinged() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    for read in 1..100 {
        assert_eq!(rig.after(CONFIG.interval, read).await, Poll::Pending);
        assert!(!rig.keepalive.awaiting);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_has_all_of_its_timeout_to_be_answered() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    assert_eq!(rig.after(CONFIG.interval, 0).await, Poll::Pending);
    assert_eq!(rig.after(CONFIG.timeout - SECOND, 0).await, Poll::Pending);
    assert_eq!(rig.after(SECOND, 0).await, Poll::Ready(Dead));
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_overtaken_by_other_data_gets_more_time() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    assert_eq!(rig.after(CONFIG.interval, 0).await, Poll::Pending);
    assert!(rig.keepalive.awaiting, "it was pinged");
    assert_eq!(rig.after(CONFIG.timeout, 1).await, Poll::Pending, "it sent something");
    assert_eq!(rig.after(CONFIG.timeout - SECOND, 1).await, Poll::Pending);
    assert_eq!(rig.after(SECOND, 1).await, Poll::Ready(Dead));
}

#[tokio::test(start_paused = true)]
async fn a_call_after_silence_pings_at_once() {
    for silence in [CONFIG.interval, CONFIG.interval * 21 / 10, CONFIG.interval * 1_000] {
        let (mut rig, _silent) = Rig::new(CONFIG).await;
        rig.dies_within(silence, false).await.unwrap_err();
        assert!(!rig.keepalive.awaiting, "no call, no PING");
        let began = Instant::now();
        assert_eq!(rig.dies_within(1_000 * SECOND, true).await, Ok(Dead));
        let took = began.elapsed();
        assert!(
            (CONFIG.timeout..CONFIG.timeout + SECOND).contains(&took),
            "{silence:?}: {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_after_a_sign_of_the_peer_does_not_ping() {
    let (mut rig, _silent) = Rig::new(CONFIG).await;
    rig.dies_within(CONFIG.interval * 2, false).await.unwrap_err();
    // Something came meanwhile, and the call begins within the interval after that.
    poll_fn(|cx| Poll::Ready(rig.keepalive.poll(cx, 1, || false)))
        .await
        .is_pending();
    rig.keepalive.before_turn(|| true);
    assert!(!rig.keepalive.awaiting);
}

#[tokio::test(start_paused = true)]
async fn the_shortest_interval_ends() {
    let interval = Duration::from_nanos(1);
    let (mut rig, server) = Rig::new(KeepAliveConfig { interval, ..CONFIG }).await;
    serve(server);
    for busy in [true, false] {
        rig.dies_within(SECOND, busy).await.unwrap_err();
    }
}
