//! A process that forks after its pool has connected: the child's pool finds out, and connects anew.
//!
//! A test of its own without the test harness, because a child has only the thread that forked.

use std::time::Duration;

use fork::{Fork, WEXITSTATUS, WIFEXITED};
use pool_runtime::{Pool, pooled_client};
use tests::pb::TestRequest;
use tests::server::TestServer;
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Request};

#[pooled_client(tests::pb::test_service_client::TestServiceClient, deadline = "20s")]
struct Client;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The first call learns of the fork at its deadline, the others are served.
fn calls_of_the_child(client: &Client) {
    runtime().block_on(async {
        let mut request = Request::new(TestRequest::default());
        request.set_timeout(Duration::from_millis(200));
        let status = client.unary(request).await.expect_err("its connection is the parent's");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(status.message().contains("was forked"), "{status}");
        for _ in 0..3 {
            client
                .unary(TestRequest::default())
                .await
                .expect("a connection of its own");
        }
    });
}

fn main() {
    let elsewhere = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = elsewhere.block_on(TestServer::start());
    let client = Client::new(Pool::connect_lazy(server.uri()).expect("a target"));
    let here = runtime();
    here.block_on(client.unary(TestRequest::default()))
        .expect("the parent's call");
    match fork::fork().expect("a child") {
        Fork::Child => {
            calls_of_the_child(&client);
            // Not by the end of main: what it would drop is the parent's.
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            let status = fork::waitpid(child).expect("the child's status");
            assert!(
                WIFEXITED(status) && WEXITSTATUS(status) == 0,
                "the child failed: {status}"
            );
        }
    }
    here.block_on(client.unary(TestRequest::default()))
        .expect("the parent goes on");
    println!("1 passed, 0 failed");
}
