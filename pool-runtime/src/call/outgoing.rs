//! The request's body on its way out.
//!
//! A body that is complete at once, as that of a unary call is, goes to h2 in one go, and no task is spawned. Any
//! other is sent by a task, so that it moves on while the caller waits elsewhere: on its own channel, say, that feeds
//! this very body. The task ends with the call, and the stream's slot is held until it has.
//!
//! What was taken from the body is kept until the response begins, up to a bound, so that a call that the peer did
//! not process can be sent again: the encoded bytes are shared, not copied, and no message is cloned.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::hold::Hold;
use super::inherited::carried;
use crate::panic::Panicked;
use crate::pool::shared::Shared;

/// How much of a streamed request is kept for sending it again (R10). gRPC's C core keeps 256 KiB too.
const REPLAY_BUFFER: usize = 256 << 10;

/// A chunk up to this size is copied to be kept.
const SMALL: usize = 1 << 10;

/// A request's body: what was taken from it, and the rest.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// From the beginning, as long as it can be sent again; most bodies are one chunk.
    first: Bytes,
    more: Vec<Bytes>,
    size: usize,
    /// More was taken than is kept, or it failed: the call cannot be sent again.
    is_lost: bool,
    /// `None` once the body has ended.
    rest: Option<Body>,
    /// The method takes one message, and this is it: a peer that has not got it has nothing to process.
    is_message: bool,
    /// What is charged to the pool for keeping it.
    kept: Option<Kept>,
}

impl Outgoing {
    /// The body of a unary call.
    pub(crate) fn whole(message: Bytes) -> Self {
        Self {
            size: message.len(),
            first: message,
            more: Vec::new(),
            is_lost: false,
            rest: None,
            is_message: true,
            kept: None,
        }
    }

    /// Takes what the body has at once, up to the bound. An error is the body's own.
    pub(crate) async fn begin(body: Body) -> Result<Self, Status> {
        let mut this = Self {
            first: Bytes::new(),
            more: Vec::new(),
            size: 0,
            is_lost: false,
            rest: Some(body),
            is_message: false,
            kept: None,
        };
        poll_fn(|cx| {
            // One message may be larger than the bound: it is here anyway, and most often it is all there is.
            while let Some(body) = &mut this.rest
                && (this.size < REPLAY_BUFFER || this.more.is_empty())
            {
                match poll_frame(body, cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            this.size += data.len();
                            this.store(data);
                        }
                    }
                    Poll::Ready(Some(Err(status))) => {
                        let dropped = this.drop_rest();
                        return Poll::Ready(Err(dropped.err().unwrap_or(own(status))));
                    }
                    Poll::Ready(None) => {
                        if let Err(status) = this.drop_rest() {
                            return Poll::Ready(Err(status));
                        }
                    }
                    Poll::Pending => break,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(this)
    }

    /// The same body once more; of one that is complete, all of it.
    pub(crate) fn again(&self) -> Self {
        Self {
            first: self.first.clone(),
            more: self.more.clone(),
            size: self.size,
            is_lost: self.is_lost || self.rest.is_some(),
            rest: None,
            is_message: self.is_message,
            kept: None,
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether the peer has nothing to process before it has got this.
    pub(crate) fn is_message(&self) -> bool {
        self.is_message
    }

    pub(crate) fn can_replay(&self) -> bool {
        !self.is_lost
    }

    /// Hands a complete body to h2, an empty one as an empty DATA frame. Memory is no concern: it is all here already. If
    /// the stream is gone, the response has the reason.
    pub(crate) fn send_whole(&self, stream: &mut SendStream<Bytes>) {
        let mut sent = stream.send_data(self.first.clone(), self.more.is_empty());
        for (index, chunk) in self.more.iter().enumerate() {
            if sent.is_err() {
                return;
            }
            sent = stream.send_data(chunk.clone(), index + 1 == self.more.len());
        }
    }

    /// Sends the rest from a task of its own, which holds the slot as long as the stream can be written to. Calls that
    /// the body makes as it is polled inherit there what they would here.
    pub(crate) fn pump(mut self, stream: SendStream<Bytes>, hold: Hold) -> Pump {
        self.kept.get_or_insert_with(|| Kept::new(hold.slot().shared()));
        let signals = Arc::new(Signals::default());
        let task = tokio::spawn(carried(run(self, hold, stream, signals.clone())));
        Pump { task, signals }
    }

    /// Keeps a chunk for sending it again, or gives that up for good.
    fn keep(&mut self, chunk: &Bytes, committed: bool) {
        if self.is_lost {
            return;
        }
        self.size += chunk.len();
        if committed || self.size > REPLAY_BUFFER {
            self.forget();
        } else {
            self.store(chunk.clone());
            self.charge();
        }
    }

    /// Charges what is kept to the pool, or gives it up if all calls together keep too much.
    fn charge(&mut self) {
        if self.kept.as_mut().is_some_and(|kept| !kept.grows_to(self.size)) {
            self.forget();
        }
    }

    /// Gives up sending it again.
    fn forget(&mut self) {
        self.is_lost = true;
        self.first = Bytes::new();
        self.more = Vec::new();
        self.kept = None;
    }

    /// A small chunk is copied: it may be a slice of the 8 KiB in which tonic encodes, and is kept as long as the call
    /// may be sent again.
    fn store(&mut self, chunk: Bytes) {
        let chunk = match chunk.len() {
            0..=SMALL => Bytes::copy_from_slice(&chunk),
            _ => chunk,
        };
        match self.first.is_empty() {
            true => self.first = chunk,
            false => self.more.push(chunk),
        }
    }

    /// Lets go of a body that has ended, which may run the caller's code too.
    fn drop_rest(&mut self) -> Result<(), Status> {
        let rest = self.rest.take();
        catch(|| drop(rest))
    }

    async fn send(&mut self, stream: &mut SendStream<Bytes>, signals: &Signals) -> Result<(), Stopped> {
        send_chunk(stream, self.first.clone()).await?;
        for index in 0..self.more.len() {
            send_chunk(stream, self.more[index].clone()).await?;
        }
        self.charge();
        while let Some(body) = &mut self.rest {
            // A reset by the peer ends this even while the body has nothing to send.
            let frame = poll_fn(|cx| {
                if stream.poll_reset(cx).is_ready() {
                    return Poll::Ready(Err(Stopped::Stream));
                }
                poll_frame(body, cx).map(Ok)
            });
            match frame.await? {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.keep(&data, signals.committed.load(Relaxed));
                        send_chunk(stream, data).await?;
                    }
                }
                Some(Err(status)) => return Err(Stopped::Body(own(status))),
                None => self.drop_rest().map_err(Stopped::Body)?,
            }
        }
        stream.send_data(Bytes::new(), true).map_err(|_| Stopped::Stream)
    }
}

/// A call's part of what the pool's calls may keep in all (R10). Given back when it is dropped.
#[derive(Debug)]
struct Kept {
    pool: Arc<Shared>,
    bytes: usize,
}

impl Kept {
    fn new(pool: &Arc<Shared>) -> Self {
        Self {
            pool: pool.clone(),
            bytes: 0,
        }
    }

    /// False if there is no room for that.
    fn grows_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let has_room = self.pool.ledger.keep(more);
        self.bytes += if has_room { more } else { 0 };
        has_room
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.pool.ledger.let_go(self.bytes);
    }
}

/// What a body fails with is tonic's verdict on a message, an oversize one: OUT_OF_RANGE there, RESOURCE_EXHAUSTED in
/// gRPC's documents (R25).
fn own(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::resource_exhausted(status.message()),
        _ => status,
    }
}

/// Polls a body, in which the caller's own stream and encoder run. A panic of theirs ends the call, and not the task that
/// sends for it: nobody else would reset the stream.
fn poll_frame(body: &mut Body, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
    catch(|| Pin::new(body).poll_frame(cx)).unwrap_or_else(|status| Poll::Ready(Some(Err(status))))
}

/// Runs the caller's code. A body that panicked is not used again.
fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let panicked = Panicked::new(&*payload);
        Status::internal(format!("the request stream or its encoder failed: {panicked}"))
    })
}

/// Why a body was not sent to its end.
enum Stopped {
    /// The stream or its connection is gone; the response tells why.
    Stream,
    /// The body failed.
    Body(Status),
}

/// Sends as the peer's window opens, so that a slow peer holds the body back.
async fn send_chunk(stream: &mut SendStream<Bytes>, mut chunk: Bytes) -> Result<(), Stopped> {
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len());
        let capacity = poll_fn(|cx| {
            if stream.capacity() > 0 {
                return Poll::Ready(Some(Ok(stream.capacity())));
            }
            stream.poll_capacity(cx)
        });
        let capacity = match capacity.await {
            Some(Ok(capacity)) => capacity,
            Some(Err(_)) | None => return Err(Stopped::Stream),
        };
        let part = chunk.split_to(capacity.min(chunk.len()));
        stream.send_data(part, false).map_err(|_| Stopped::Stream)?;
    }
    Ok(())
}

/// The stream's handle comes after the slot, so that it goes before it where the task is aborted, too.
async fn run(mut outgoing: Outgoing, hold: Hold, mut stream: SendStream<Bytes>, signals: Arc<Signals>) -> Outgoing {
    let sending = signals.stop.run_until_cancelled(outgoing.send(&mut stream, &signals));
    if let Some(Err(Stopped::Body(status))) = sending.await {
        // What comes after the message that failed would be sent again without it.
        outgoing.forget();
        let dropped = outgoing.drop_rest();
        // The only place that sets it, and once.
        let _ = signals.failed.set(dropped.err().unwrap_or(status));
        stream.send_reset(Reason::CANCEL);
    }
    // The stream's handle goes before the slot does.
    drop(stream);
    drop(hold);
    outgoing
}

/// What the call and the task that sends its body tell each other.
#[derive(Debug, Default)]
struct Signals {
    /// The body is wanted back.
    stop: CancellationToken,
    /// The response has begun: nothing will be sent again.
    committed: AtomicBool,
    /// The body's own error.
    failed: OnceLock<Status>,
}

/// The task that sends a body. Dropped, it stops and lets go of the stream.
#[derive(Debug)]
pub(crate) struct Pump {
    task: JoinHandle<Outgoing>,
    signals: Arc<Signals>,
}

impl Pump {
    /// The error of the body, if that is what ended the call.
    pub(crate) fn failure(&self) -> Option<Status> {
        self.signals.failed.get().cloned()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The response has begun: the call will not be sent again, so nothing need be kept.
    pub(crate) fn commit(&self) {
        self.signals.committed.store(true, Relaxed);
    }

    /// Stops the task and takes the body back, for sending it again.
    pub(crate) async fn take_back(mut self) -> Option<Outgoing> {
        self.signals.stop.cancel();
        (&mut self.task).await.ok()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pool;
    use crate::pool::ledger::MOST_KEPT;

    #[test]
    fn what_is_kept_is_charged_to_the_pool_and_what_it_has_no_room_for_is_not_kept() {
        let pool = Pool::builder("http://127.0.0.1:1").build().unwrap();
        let ledger = &pool.shared().ledger;
        let body = || Outgoing {
            rest: Some(Body::empty()),
            kept: Some(Kept::new(pool.shared())),
            ..Outgoing::whole(Bytes::new())
        };
        let chunk = Bytes::from(vec![7; 2_000]);

        let mut first = body();
        first.keep(&chunk, false);
        assert!(first.can_replay());
        assert!(ledger.keep(MOST_KEPT - 3_000), "the rest but for 1,000");

        let mut second = body();
        second.keep(&chunk, false);
        assert!(!second.can_replay(), "there is no room for both");
        assert!(!ledger.keep(1_001), "what is not kept is not charged");

        drop(first);
        assert!(ledger.keep(3_000), "what was kept is given back");
    }
}
