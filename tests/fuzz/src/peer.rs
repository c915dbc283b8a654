//! A peer that sends anything at all, after SETTINGS that are in order.
//!
//! Part of several binaries, by its path. The clock is paused and the transport is a pipe, so an input takes no time.

use std::time::Duration;

use pool_runtime::{Pool, Target};
use tokio::io::{AsyncWriteExt, DuplexStream, copy, duplex, sink};
use tokio::runtime::{Builder, Handle};
use tokio::time::{sleep, timeout};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

/// Time that each call has.
const DEADLINE: Duration = Duration::from_secs(1);

/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Has a unary and a streaming call answered with `data`: frames, for streams 1 and 3, if they are frames. The first
/// byte says whether the peer hangs up in the end. Whatever they are, both calls end in time, and nothing is left.
pub(crate) fn peer(data: &[u8]) {
    let (hangs_up, frames) = match data.split_first() {
        Some((first, rest)) => (first % 2 == 1, rest.to_vec()),
        None => (true, Vec::new()),
    };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing");
    runtime.block_on(async {
        let connector = move |_: Target| {
            let (ours, theirs) = duplex(64 << 10);
            tokio::spawn(answer(theirs, frames.clone(), hangs_up));
            std::future::ready(std::io::Result::Ok(ours))
        };
        let pool = Pool::builder("http://peer.test")
            .max_connections(1)
            .connector(connector);
        let pool = pool.build().expect("the settings are in order");
        let calls = async {
            call(&pool, false).await;
            call(&pool, true).await;
        };
        timeout(3 * DEADLINE, calls)
            .await
            .expect("every call ends at its deadline at the latest");
        pool.shutdown(DEADLINE).await;
        let stats = pool.stats();
        assert_eq!(
            (stats.in_flight, stats.waiting, stats.connections.len()),
            (0, 0, 0),
            "{stats}"
        );
        drop(pool);
        // The peers end with their connections.
        sleep(DEADLINE).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "no task is left");
    });
}

async fn answer(mut pipe: DuplexStream, frames: Vec<u8>, hangs_up: bool) {
    let _ = pipe.write_all(&SETTINGS).await;
    // Both calls are written: while there is something to do the clock stands still.
    sleep(Duration::from_millis(1)).await;
    let (mut read, mut write) = tokio::io::split(pipe);
    let mut nowhere = sink();
    let reading = copy(&mut read, &mut nowhere);
    let sending = async {
        let _ = write.write_all(&frames).await;
        if hangs_up {
            let _ = write.shutdown().await;
        }
        std::future::pending::<()>().await;
    };
    // Until the client has gone.
    tokio::select! {
        () = sending => {}
        _ = reading => {}
    }
}

async fn call(pool: &Pool, streams: bool) {
    let mut client = Grpc::new(pool.clone());
    let path = PathAndQuery::from_static("/pooltest.TestService/Unary");
    let mut request = Request::new(());
    request.set_timeout(DEADLINE);
    let codec = ProstCodec::<(), ()>::new();
    let result = if streams {
        match client.server_streaming(request, path, codec).await {
            Ok(replies) => {
                let mut replies = replies.into_inner();
                loop {
                    match replies.message().await {
                        Ok(Some(())) => {}
                        Ok(None) => break Ok(()),
                        Err(status) => break Err(status),
                    }
                }
            }
            Err(status) => Err(status),
        }
    } else {
        client.unary(request, path, codec).await.map(drop)
    };
    if let Err(status) = result {
        assert_ne!(status.code(), Code::Ok, "an error has a reason");
    }
}
