//! Calls that a server's handler makes inherit the deadline and the cancellation of the incoming call.

mod front;

use std::time::Duration;

use pool_runtime::{Error, Inherited, Lease, Phase, Pool};
use tests::pb::{Failure, Script, TestReply, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio::sync::mpsc;
use tonic::{Code, Request, Response, Status};

use self::front::{Front, Outcome};
use super::{Client, connected, facts, idle};

/// What the caller of the front grants it, where it is not to run out. The pools' own default is 30 s.
const GRANTED: Duration = Duration::from_secs(20);

/// Two servers, of which the front calls the back.
struct Chain {
    front: Client,
    back: TestServer,
    pool: Pool,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl Chain {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(inherits: bool) -> Self {
        let back = TestServer::start().await;
        let pool = Pool::builder(back.uri())
            .max_connections(1)
            .max_concurrent_streams(2)
            .build()
            .unwrap();
        pool.ready(1).await.unwrap();
        let (uri, outcomes) = Front::start(pool.clone(), inherits).await;
        let front = connected(uri).await;
        Self {
            front,
            back,
            pool,
            outcomes,
        }
    }

    /// Calls the front and says how long the back was told that it had.
    async fn told(&self, how: &str, request: Request<TestRequest>) -> u64 {
        let answer = within(how, self.front.unary(request)).await.map(Response::into_inner);
        let told = answer.unwrap_or_else(|status| panic!("{how}: {status}")).timeout_ms;
        idle(&self.pool).await;
        told.unwrap_or_else(|| panic!("{how}: the back was told of no timeout"))
    }

    /// Calls the front, which has the back hang, and cancels that once the back has its call.
    async fn cancel(&self, how: &str, script: Script) {
        let mut call = Box::pin(self.front.unary(asking(how, script)));
        tokio::select! {
            answer = &mut call => panic!("{how}: {answer:?}"),
            _ = self.back.until(|stats| stats.streams_now == 1) => {}
        }
    }

    /// Leaves calls to the back to wait.
    async fn all_slots(&self) -> [Lease; 2] {
        [self.pool.acquire().await.unwrap(), self.pool.acquire().await.unwrap()]
    }

    /// How a call to the back ended.
    async fn outcome(&mut self) -> Result<TestReply, Status> {
        within("an outcome", self.outcomes.recv()).await.unwrap()
    }

    /// Waits until the back has seen so many calls being cancelled, and checks that the pool has its slots again.
    async fn check_cancelled(&self, cancelled: usize) {
        self.back
            .until(|stats| stats.streams_now == 0 && stats.cancelled == cancelled)
            .await;
        idle(&self.pool).await;
    }
}

/// A request that has the front ask the back in this way, for what the script says.
fn asking(how: &str, script: Script) -> TestRequest {
    TestRequest {
        payload: how.into(),
        script: Some(script),
    }
}

fn hanging() -> Script {
    Script {
        replies: 2,
        hang: true,
        ..Script::default()
    }
}

fn granted(message: TestRequest) -> Request<TestRequest> {
    let mut request = Request::new(message);
    request.set_timeout(GRANTED);
    request
}

/// A request whose timeout only the front knows of.
fn for_so_long(message: TestRequest, timeout: &'static str) -> Request<TestRequest> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-timeout", timeout.parse().unwrap());
    request
}

#[track_caller]
fn check_inherited(outcome: Outcome, code: Code, expected: super::Facts) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    assert_eq!(facts(&status), expected, "{status}");
    assert!(Error::of(&status).unwrap().is_inherited());
    assert!(status.message().contains("the incoming call"), "{status}");
}

#[tokio::test]
async fn every_kind_of_call_inherits_what_is_left_of_the_deadline() {
    let mut chain = Chain::new().await;
    let ms = u64::try_from(GRANTED.as_millis()).unwrap();
    for how in ["annotated", "plain", "lease"] {
        let told = chain.told(how, granted(asking(how, Script::default()))).await;
        assert!((1..=ms).contains(&told), "{how}: {told} ms");
    }
    let how = "in the request's stream";
    chain.told(how, granted(asking(how, Script::default()))).await;
    let told = chain.outcome().await.unwrap().timeout_ms;
    assert!(told.is_some_and(|told| told <= ms), "{how}: {told:?} ms");
    assert_eq!(chain.back.stats().cancelled, 0);
}

#[tokio::test]
async fn time_that_the_front_has_used_is_not_passed_on() {
    let chain = Chain::new().await;
    let script = Script {
        delay_ms: 300,
        ..Script::default()
    };
    let replies = chain.front.server_stream(granted(asking("", script))).await;
    let mut replies = replies.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(reply) = within("a reply", replies.message()).await.unwrap() {
        told.extend(reply.timeout_ms);
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[2] < told[0], "{told:?}");
}

#[tokio::test]
async fn a_shorter_deadline_of_a_calls_own_holds() {
    let chain = Chain::new().await;
    let how = "with a second of its own";
    assert_eq!(chain.told(how, granted(asking(how, Script::default()))).await, 1_000);
}

#[tokio::test]
async fn nothing_is_inherited_when_detached_or_without_the_layer_or_in_a_spawned_task() {
    assert!(Inherited::current().is_none());
    let chain = Chain::new().await;
    let detached = chain
        .told("detached", granted(asking("detached", Script::default())))
        .await;
    assert_eq!(detached, 30_000);

    let chain = Chain::with(false).await;
    let bare = chain
        .told("annotated", granted(asking("annotated", Script::default())))
        .await;
    assert_eq!(bare, 30_000);

    let mut chain = Chain::new().await;
    let script = Script {
        delay_ms: 200,
        ..Script::default()
    };
    chain.cancel("spawned", script).await;
    assert_eq!(chain.outcome().await.unwrap().timeout_ms, Some(30_000));
    chain.check_cancelled(0).await;
}

#[tokio::test]
async fn a_deadline_that_passes_is_reported_as_inherited() {
    let mut chain = Chain::new().await;
    let front = chain.front.clone().with_deadline(GRANTED);
    let status = within(
        "the deadline",
        front.unary(for_so_long(asking("annotated", hanging()), "200m")),
    )
    .await
    .unwrap_err();
    // The front's handler passes on what its call to the back failed with.
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(
        status
            .message()
            .contains("deadline of the incoming call (200ms) exceeded"),
        "{status}"
    );
    chain.check_cancelled(1).await;

    let call = front.unary(for_so_long(asking("streamed in scope", hanging()), "200m"));
    tokio::select! {
        answer = call => panic!("{answer:?}"),
        outcome = chain.outcome() => {
            check_inherited(outcome, Code::DeadlineExceeded, (Some(Phase::Responding), true, 1));
        }
    }
    chain.check_cancelled(2).await;

    let held = chain.all_slots().await;
    let call = front.unary(for_so_long(asking("spawned in scope", hanging()), "200m"));
    tokio::select! {
        answer = call => panic!("{answer:?}"),
        outcome = chain.outcome() => {
            check_inherited(outcome, Code::DeadlineExceeded, (Some(Phase::Waiting), false, 0));
        }
    }
    drop(held);
    chain.check_cancelled(2).await;
}

#[tokio::test]
async fn cancelling_a_call_cancels_those_that_its_handler_makes() {
    let chain = Chain::new().await;
    for (cancelled, how) in [(1, "annotated"), (2, "detached")] {
        chain.cancel(how, hanging()).await;
        chain.check_cancelled(cancelled).await;
    }

    let mut replies = chain
        .front
        .server_stream(asking("", hanging()))
        .await
        .unwrap()
        .into_inner();
    replies.message().await.unwrap().unwrap();
    chain.back.until(|stats| stats.streams_now == 1).await;
    drop(replies);
    chain.check_cancelled(3).await;
}

#[tokio::test]
async fn cancelling_a_call_cancels_those_of_tasks_in_its_scope_at_once() {
    let mut chain = Chain::new().await;
    for (cancelled, how, phase) in [
        (1, "spawned in scope", Phase::Requesting),
        (2, "streamed in scope", Phase::Responding),
    ] {
        chain.cancel(how, hanging()).await;
        check_inherited(chain.outcome().await, Code::Cancelled, (Some(phase), true, 1));
        chain.check_cancelled(cancelled).await;
    }
}

#[tokio::test]
async fn cancelling_a_call_takes_those_of_tasks_in_its_scope_out_of_the_queue() {
    let mut chain = Chain::new().await;
    let held = chain.all_slots().await;
    let mut call = Box::pin(chain.front.unary(asking("spawned in scope", hanging())));
    tokio::select! {
        answer = &mut call => panic!("{answer:?}"),
        () = super::eventually("the call to wait", || chain.pool.stats().waiting == 1) => {}
    }
    drop(call);
    check_inherited(chain.outcome().await, Code::Cancelled, (Some(Phase::Waiting), false, 0));
    drop(held);
    chain.check_cancelled(0).await;
    assert_eq!(chain.back.stats().streams_total, 0);
}

#[tokio::test]
async fn cancelling_a_call_ends_the_delays_between_attempts_of_those_in_its_scope() {
    for how in ["retried in scope", "hedged in scope"] {
        let mut chain = Chain::new().await;
        // Within the deadline of 30 s, and longer than this test waits.
        let pushback = ("grpc-retry-pushback-ms".to_owned(), "25000".to_owned());
        let script = Script {
            failure: Some(Failure {
                code: Code::Unavailable.into(),
                ..Failure::default()
            }),
            trailers: [pushback].into(),
            ..Script::default()
        };
        let mut call = Box::pin(chain.front.unary(asking(how, script)));
        tokio::select! {
            answer = &mut call => panic!("{answer:?}"),
            _ = chain.back.until(|stats| stats.streams_total == 1 && stats.streams_now == 0) => {}
        }
        super::eventually("the delay", || chain.pool.stats().in_flight == 0).await;
        drop(call);
        check_inherited(chain.outcome().await, Code::Cancelled, (Some(Phase::Waiting), true, 1));
    }
}

#[tokio::test]
async fn a_call_that_ended_well_cancels_nothing() {
    let mut chain = Chain::new().await;
    let script = Script {
        delay_ms: 100,
        ..Script::default()
    };
    let front = &chain.front;
    within(
        "the front",
        front.unary(granted(asking("left behind in scope", script))),
    )
    .await
    .unwrap();
    let told = chain.outcome().await.unwrap().timeout_ms;
    assert!(told.is_some_and(|told| told <= 20_000), "{told:?} ms");
    chain.check_cancelled(0).await;
}
