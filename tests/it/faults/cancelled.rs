//! What cancelled calls cost their connection, as h2 counts it.

use bytes::Bytes;
use h2::client::SendRequest;
use tests::fault::{Conn, FaultServer};
use tests::within;
use tokio::net::TcpStream;
use tonic::Code;

/// More than the 1,024 resets of its own making after which h2 ends a connection.
const MANY: usize = 3_000;

/// A connection without a pool: what is asked here is how h2 behaves.
async fn bare(server: &FaultServer) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let (send, connection) = h2::client::Builder::new().handshake(socket).await.unwrap();
    (send, tokio::spawn(connection))
}

/// Makes a call and drops it once its request has been seen.
async fn cancel_one(send: &mut SendRequest<Bytes>, server: &FaultServer, n: usize) -> Result<(), h2::Error> {
    let request = http::Request::post("http://test/pooltest.TestService/Unary")
        .body(())
        .unwrap();
    *send = send.clone().ready().await?;
    let (response, _) = send.send_request(request, true)?;
    server.until(|stats| stats.streams_total >= n).await;
    drop(response);
    Ok(())
}

#[tokio::test]
async fn tmp_user_cancellations_alone() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.until_closed().await
    })
    .await;
    let (mut send, connection) = bare(&server).await;
    for n in 1..=MANY {
        if let Err(e) = cancel_one(&mut send, &server, n).await {
            panic!("after {n}: {e:?}");
        }
    }
    server.until(|stats| stats.cancelled == MANY).await;
    assert!(!connection.is_finished());
}

#[tokio::test]
async fn tmp_late_answers() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let frame = conn.read_until(|frame| frame.is(tests::wire::kind::RST_STREAM)).await?;
            // As if sent before the reset was read.
            conn.respond(frame.head.stream).await?;
            conn.trailers(frame.head.stream, Code::Ok, "").await?;
        }
    })
    .await;
    let (mut send, connection) = bare(&server).await;
    let mut last = 0;
    let run = async {
        for n in 1..=MANY {
            last = n;
            if let Err(e) = cancel_one(&mut send, &server, n).await {
                eprintln!("after {n}: {e:?}");
                break;
            }
        }
    };
    within("run", run).await;
    eprintln!(
        "late answers: reached {last}, connection finished {}",
        connection.is_finished()
    );
    panic!("report");
}
