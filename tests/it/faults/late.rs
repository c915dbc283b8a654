//! A server that ends a call with CANCELLED when the call's deadline has passed: DEADLINE_EXCEEDED, on every shape.

use std::time::Duration;

use h2::Reason;
use pool_runtime::{Error, Pool};
use tests::fault::{Conn, FaultServer, cases};
use tests::within;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Request, Status};

use super::proven;
use crate::calls::{Caller, echo};

/// How the server ends its call.
#[derive(Debug, Clone, Copy)]
enum Cancel {
    AtOnce,
    Trailers,
    ResetAtOnce,
    Reset,
}

impl Cancel {
    const ALL: [Self; 4] = [Self::AtOnce, Self::Trailers, Self::ResetAtOnce, Self::Reset];

    async fn send(self, conn: &mut Conn, stream: u32) -> std::io::Result<()> {
        if matches!(self, Self::Trailers | Self::Reset) {
            conn.respond(stream).await?;
            conn.send_data(stream, &[0; 5], false).await?;
        }
        match self {
            Self::AtOnce => conn.fail(stream, Code::Cancelled, "Timeout expired").await,
            Self::Trailers => conn.trailers(stream, Code::Cancelled, "Timeout expired").await,
            Self::ResetAtOnce | Self::Reset => conn.rst(stream, Reason::CANCEL).await,
        }
    }
}

/// Reports each call but `Read` when the client has read its end.
async fn cancelling(cancel: Cancel) -> (FaultServer, mpsc::UnboundedReceiver<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = FaultServer::start(move |mut conn: Conn| {
        let sender = sender.clone();
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                cancel.send(&mut conn, request.stream).await?;
                conn.ping_pong().await?;
                let _ = sender.send(());
            }
        }
    })
    .await;
    (server, receiver)
}

async fn read_all<T>(replies: Result<tonic::Response<tonic::Streaming<T>>, Status>) -> Result<(), Status> {
    let mut replies = replies?.into_inner();
    while replies.message().await?.is_some() {}
    Ok(())
}

async fn call(caller: &mut Caller, shape: usize, timeout: Duration) -> Result<(), Status> {
    let mut one = Request::new(echo());
    one.set_timeout(timeout);
    let mut many = Request::new(tokio_stream::iter([echo()]));
    many.set_timeout(timeout);
    match shape {
        0 => caller.unary(one).await.map(drop),
        1 => caller.client_stream(many).await.map(drop),
        2 => read_all(caller.server_stream(one).await).await,
        _ => read_all(caller.bidi(many).await).await,
    }
}

#[tokio::test]
async fn cancelled_at_the_deadline_is_deadline_exceeded() {
    for cancel in Cancel::ALL {
        let (server, mut answered) = cancelling(cancel).await;
        let client = proven(&server).await;
        let pool: &Pool = client.pool();
        for mut caller in Caller::all(pool).await {
            for shape in 0..4 {
                for (timeout, passes) in [(Duration::from_millis(100), true), (Duration::from_secs(3_600), false)] {
                    let mut call = Box::pin(call(&mut caller, shape, timeout));
                    // Sends the request; from here on the call gets no turn before the end of its time.
                    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
                    assert!(first.is_pending());
                    let deadline = Instant::now() + timeout;
                    within("the answer", answered.recv()).await.unwrap();
                    if passes {
                        sleep_until(deadline).await;
                    }
                    let status = within("the call", call).await.unwrap_err();
                    let expected = if passes {
                        Code::DeadlineExceeded
                    } else {
                        Code::Cancelled
                    };
                    assert_eq!(status.code(), expected, "{cancel:?} {shape}: {status:?}");
                    if passes {
                        assert!(Error::of(&status).unwrap().is_timeout(), "{status:?}");
                    }
                }
            }
        }
        drop(answered);
    }
}
