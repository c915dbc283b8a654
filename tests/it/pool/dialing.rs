//! How connections are opened: what becomes of those that fail, how long one may take, and over which transports.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pool_runtime::{Backoff, Connector, Error, Phase, Pool, PoolState, Target, TlsConfig};
use tests::server::TestServer;
use tests::tls::Authority;
use tests::within;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use super::{Client, Log, burst, lasting, refusing, until};

/// A backoff without chance in it.
fn every(base: Duration) -> Backoff {
    Backoff {
        base,
        multiplier: 1.0,
        jitter: 0.0,
        max: base,
    }
}

#[tokio::test]
async fn everyone_who_waits_learns_of_a_failed_dial_at_once_and_why() {
    let (_refusing, uri) = refusing();
    let pool = Pool::builder(uri.as_str()).build().unwrap();
    let began = Instant::now();
    for reply in burst(&pool, 20, lasting(0)).await {
        let status = reply.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("refused"), "{status}");
        let error = Error::of(&status).unwrap();
        assert!(error.is_connect() && !error.was_sent(), "{error}");
        assert_eq!((error.endpoint(), error.attempts()), (uri.as_str(), 0));
        assert_eq!(error.phase(), Some(Phase::Connecting));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "acquire_timeout is 30 s");
    assert_eq!((pool.stats().failed_dials, pool.stats().waiting), (1, 0));
}

/// Fails, and writes down when it was asked.
fn failing(asked: Arc<Mutex<Vec<Instant>>>) -> impl Connector {
    move |_: Target| {
        asked.lock().unwrap().push(Instant::now());
        async { Err::<TcpStream, _>(std::io::Error::other("not today")) }
    }
}

#[tokio::test]
async fn failed_dials_are_spaced_and_calls_in_between_fail_at_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let base = Duration::from_millis(20);
    let pool = Pool::builder("http://127.0.0.1:1")
        .connector(failing(asked.clone()))
        .backoff(Backoff {
            base,
            multiplier: 2.0,
            jitter: 0.0,
            max: base * 8,
        })
        .build()
        .unwrap();
    let mut calls = 0;
    while asked.lock().unwrap().len() < 6 {
        let error = within("a call", pool.acquire()).await.unwrap_err();
        assert!(
            error.is_connect() && format!("{error:?}").contains("not today"),
            "{error:?}"
        );
        calls += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(pool.stats().state, PoolState::TransientFailure);
    let asked = asked.lock().unwrap();
    for (pair, factor) in asked.windows(2).zip([1, 2, 4, 8, 8]) {
        let wait = pair[1] - pair[0];
        assert!(wait >= base * factor, "{wait:?} instead of {:?}", base * factor);
    }
    assert!(calls > asked.len(), "{calls} calls, {} dials", asked.len());
}

#[tokio::test]
async fn a_silent_peer_is_not_dialled_in_a_loop() {
    let server = TestServer::builder().silent().start().await;
    let pool = Pool::builder(server.uri())
        .min_connections(4)
        .connect_timeout(Duration::from_millis(50))
        .backoff(every(Duration::from_millis(100)))
        .build()
        .unwrap();
    let began = Instant::now();
    assert!(pool.acquire().await.unwrap_err().is_timeout());
    // The minimum was dialled at once; since then the pool knows better.
    let stats = server.until(|stats| stats.connections_total >= 8).await;
    assert!(began.elapsed() >= 4 * Duration::from_millis(100), "{stats:#?}");
    pool.close();
    server.until(|stats| stats.connections_now == 0).await;
}

#[tokio::test]
async fn a_pool_recovers_with_its_endpoint() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .backoff(every(Duration::from_millis(20)))
        .build()
        .unwrap();
    server.close_listener().await;
    assert!(pool.acquire().await.unwrap_err().is_connect());
    server.reopen_listener().await;
    let calling = async {
        while let Err(error) = pool.acquire().await {
            assert!(error.is_connect(), "{error}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within("the endpoint's return", calling).await;
    assert_eq!(pool.stats().state, PoolState::Ready);
}

/// Never gets anywhere.
fn stuck() -> impl Connector {
    |_: Target| std::future::pending::<std::io::Result<TcpStream>>()
}

#[tokio::test]
async fn the_connect_timeout_covers_every_phase_and_names_it() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let server = TestServer::builder().silent().start().await;
    let address = server.address().unwrap();
    let rows = [
        ("connecting", Pool::builder(server.uri()).connector(stuck())),
        ("the HTTP/2 handshake", Pool::builder(server.uri())),
        ("the TLS handshake", Pool::builder(format!("https://{address}"))),
    ];
    for (phase, pool) in rows {
        let began = Instant::now();
        let error = within(phase, pool.connect_timeout(TIMEOUT).connect())
            .await
            .unwrap_err();
        assert!(began.elapsed() >= TIMEOUT, "{phase}");
        assert!(error.is_connect() && error.is_timeout(), "{error:?}");
        let text = format!("{error:?}");
        assert!(text.contains(phase) && text.contains("timed out after 100ms"), "{text}");
    }
    server.until(|stats| stats.connections_now == 0).await;
}

#[tokio::test]
async fn a_slow_dial_keeps_nobody_from_a_connection_that_is_up() {
    let server = TestServer::start().await;
    let address = server.address().unwrap();
    let first = Mutex::new(true);
    let pool = Pool::builder(server.uri())
        .max_concurrent_streams(1)
        .connector(move |_: Target| {
            let is_first = std::mem::take(&mut *first.lock().unwrap());
            async move {
                match is_first {
                    true => TcpStream::connect(address).await,
                    false => std::future::pending().await,
                }
            }
        })
        .build()
        .unwrap();
    let held = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    until(&pool, |stats| stats.waiting == 1 && stats.dialing == 1).await;
    drop(held);
    let served = within("the connection that is up", waiter).await.unwrap().unwrap();
    assert_eq!((served.connection_id(), pool.stats().dialing), (1, 1));
}

/// Passes connections on to the server, and counts them.
async fn pass_on(listener: TcpListener, to: std::net::SocketAddr, count: Arc<Mutex<usize>>) {
    loop {
        let (mut from, _) = listener.accept().await.unwrap();
        *count.lock().unwrap() += 1;
        let mut to = TcpStream::connect(to).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
    }
}

/// `localhost` is the one name that has an address without a network, and on most machines two. Where it has but one
/// this shows little; the order of addresses is tested in `pool-runtime` as well, with names made up.
#[tokio::test]
async fn connections_are_spread_over_the_addresses_of_a_name() {
    let server = TestServer::start().await;
    let to = server.address().unwrap();
    let addresses: Vec<_> = tokio::net::lookup_host(("localhost", to.port()))
        .await
        .unwrap()
        .collect();
    // The server has one of the addresses; the others are passed on to it.
    let passed_on = Arc::new(Mutex::new(0));
    let mut listening = 1;
    for address in addresses.into_iter().filter(|&address| address != to) {
        if let Ok(listener) = TcpListener::bind(address).await {
            tokio::spawn(pass_on(listener, to, passed_on.clone()));
            listening += 1;
        }
    }
    let pool = Pool::builder(format!("http://localhost:{}", to.port()))
        .build()
        .unwrap();
    pool.ready(2 * listening).await.unwrap();
    assert_eq!(*passed_on.lock().unwrap(), 2 * (listening - 1));
    assert_eq!(
        Client::new(pool).unary(lasting(0)).await.unwrap().into_inner().payload,
        b"payload"
    );
}

#[tokio::test]
async fn a_unix_socket_is_a_target() {
    let path = std::env::temp_dir().join(format!("pool-it-{}.sock", std::process::id()));
    let server = TestServer::builder().unix(path).start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    let reply = Client::new(pool.clone()).unary(lasting(0)).await.unwrap().into_inner();
    assert_eq!((reply.client.as_str(), reply.authority.as_str()), ("unix", "localhost"));
    assert_eq!(pool.stats().connections[0].peer, None);
}

#[tokio::test]
async fn a_server_with_a_certificate_of_a_trusted_authority_is_called_over_tls() {
    let authority = Authority::new();
    let server = TestServer::builder().tls(&authority).start().await;
    let tls = TlsConfig::new().ca_certificate(authority.certificate());
    let pool = Pool::builder(server.uri()).tls(tls).connect().await.unwrap();
    Client::new(pool).unary(lasting(0)).await.unwrap();

    let stranger = TlsConfig::new().ca_certificate(Authority::new().certificate());
    let error = Pool::builder(server.uri()).tls(stranger).connect().await.unwrap_err();
    assert!(error.is_connect() && !error.is_timeout(), "{error:?}");
    let text = format!("{error:?}");
    assert!(
        text.contains("the TLS handshake") && text.contains("certificate"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_wants_to_know_its_clients_gets_their_certificate() {
    let authority = Authority::new();
    let server = TestServer::builder().mutual_tls(&authority).start().await;
    let trusting = || TlsConfig::new().ca_certificate(authority.certificate());
    let identity = authority.client();
    let known = trusting().identity(identity.certificate, identity.key);
    let pool = Pool::builder(server.uri()).tls(known).connect().await.unwrap();
    Client::new(pool).unary(lasting(0)).await.unwrap();

    let error = Pool::builder(server.uri()).tls(trusting()).connect().await.unwrap_err();
    assert!(error.is_connect() && !error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn a_connector_of_ones_own_is_told_the_target_and_opens_every_connection() {
    let server = TestServer::start().await;
    let address = server.address().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let connector = {
        let asked = asked.clone();
        move |target: Target| {
            asked.lock().unwrap().push(target.to_string());
            TcpStream::connect(address)
        }
    };
    let pool = Pool::builder("http://greeter.example:7")
        .connector(connector)
        .build()
        .unwrap();
    pool.ready(2).await.unwrap();
    let reply = Client::new(pool).unary(lasting(0)).await.unwrap().into_inner();
    assert_eq!(reply.authority, "greeter.example:7");
    assert_eq!(*asked.lock().unwrap(), ["http://greeter.example:7"; 2]);
}

#[tokio::test]
async fn the_caller_that_caused_a_dial_may_go_without_ending_it() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri()).observer(log.clone()).build().unwrap();
    {
        let mut caller = std::pin::pin!(pool.acquire());
        assert!(super::poll_once(caller.as_mut()).is_pending());
    }
    until(&pool, |stats| stats.connections.len() == 1).await;
    assert_eq!(log.lines(), ["waiting", "gave up", "opening", "opened 1"]);
}

mod panics {
    //! Connectors and transports that panic.

    use std::future::Ready;
    use std::io;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// Checks that a panic fails the dial: at once, with its message, once, and with a backoff after it.
    async fn check_failed_dial(connector: impl Connector) {
        let (log, dials) = (Log::default(), Arc::new(AtomicUsize::new(0)));
        let counted = {
            let dials = dials.clone();
            move |target: Target| {
                dials.fetch_add(1, Relaxed);
                connector.connect(&target)
            }
        };
        let pool = Pool::builder("http://127.0.0.1:1")
            .connector(counted)
            .backoff(every(Duration::from_secs(3600)))
            .observer(log.clone())
            .build()
            .unwrap();
        for _ in 0..3 {
            let status = within("a call", Client::new(pool.clone()).unary(lasting(0)))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert!(status.message().contains("it panicked: as told"), "{status:?}");
            assert!(Error::of(&status).unwrap().is_connect(), "{status:?}");
        }
        assert_eq!((dials.load(Relaxed), pool.stats().failed_dials), (1, 1));
        assert_eq!(log.count("failed"), 1, "{:?}", log.lines());
    }

    /// Transports over which the first byte panics.
    fn panicking_transport() -> impl Connector {
        |_: Target| {
            let (io, _) = tokio::io::duplex(64);
            std::future::ready(io::Result::Ok(Fragile {
                io,
                broken: Arc::new(AtomicBool::new(true)),
            }))
        }
    }

    async fn late() -> io::Result<TcpStream> {
        tokio::task::yield_now().await;
        panic!("as {}", "told")
    }

    #[tokio::test]
    async fn a_panicking_connector_is_a_failed_dial() {
        check_failed_dial(|_: Target| -> Ready<io::Result<TcpStream>> { panic!("as told") }).await;
        check_failed_dial(|_: Target| late()).await;
        check_failed_dial(panicking_transport()).await;
    }

    #[tokio::test]
    async fn a_start_that_panics_ends() {
        let connector = |_: Target| -> Ready<io::Result<TcpStream>> { panic!("as told") };
        let pool = || Pool::builder("http://127.0.0.1:1").connector(connector);
        let error = within("connect", pool().connect()).await.unwrap_err();
        assert!(
            error.is_connect() && format!("{error:?}").contains("as told"),
            "{error:?}"
        );
        let pool = pool().build().unwrap();
        let error = within("ready", pool.ready(1)).await.unwrap_err();
        assert!(
            error.is_connect() && format!("{error:?}").contains("as told"),
            "{error:?}"
        );
    }

    /// A transport that panics once it is broken.
    struct Fragile<T> {
        io: T,
        broken: Arc<AtomicBool>,
    }

    impl<T: Unpin> Fragile<T> {
        fn io(self: Pin<&mut Self>) -> Pin<&mut T> {
            assert!(!self.broken.load(Relaxed), "as told");
            Pin::new(&mut self.get_mut().io)
        }
    }

    impl<T: AsyncRead + Unpin> AsyncRead for Fragile<T> {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.io().poll_read(cx, buf)
        }
    }

    impl<T: AsyncWrite + Unpin> AsyncWrite for Fragile<T> {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.io().poll_write(cx, buf)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io().poll_flush(cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io().poll_shutdown(cx)
        }
    }

    #[tokio::test]
    async fn a_panicking_transport_is_a_loss() {
        let server = TestServer::start().await;
        let address = server.address().unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let connector = {
            let broken = broken.clone();
            move |_: Target| {
                let broken = broken.clone();
                async move {
                    let io = TcpStream::connect(address).await?;
                    io::Result::Ok(Fragile { io, broken })
                }
            }
        };
        let log = Log::default();
        let pool = Pool::builder(server.uri())
            .connector(connector)
            .observer(log.clone())
            .build()
            .unwrap();
        let client = Client::new(pool.clone());
        client.unary(lasting(0)).await.unwrap();
        broken.store(true, Relaxed);
        let status = within("a call", client.unary(lasting(0))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        until(&pool, |stats| stats.closed == 1).await;
        assert_eq!(log.count("closed 1: the connection was lost"), 1, "{:?}", log.lines());

        broken.store(false, Relaxed);
        until(&pool, |stats| stats.state != PoolState::TransientFailure).await;
        within("a call", client.unary(lasting(0))).await.unwrap();
    }
}
