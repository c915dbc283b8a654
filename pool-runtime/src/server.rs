//! The layer for tonic servers by which pooled calls inherit from the incoming call they are made for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::DropGuard;
use tonic::server::NamedService;
use tower_layer::Layer;
use tower_service::Service;

use crate::call::{Inherited, requested_timeout};

/// A layer for tonic servers: the pooled calls that a handler makes take over what is left of the incoming request's
/// `grpc-timeout`, and are cancelled with it: `Server::builder().layer(InheritLayer::new())`. It can also be laid around
/// a single service.
///
/// The smaller of a call's own deadline and the inherited one holds; where the inherited one passes, the call fails
/// DEADLINE_EXCEEDED, and [`Error::is_inherited`](crate::Error::is_inherited) tells the two apart. It holds for calls
/// that the handler's future makes, and for those that its response stream makes as the server polls it. Tasks that the
/// handler spawns inherit by [`Inherited::scope`](crate::Inherited::scope) only.
///
/// `Server::timeout` is not inherited: it drops the handler, and with it the calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct InheritLayer(());

impl InheritLayer {
    /// The layer. It has no settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for InheritLayer {
    type Service = Inherit<S>;

    fn layer(&self, inner: S) -> Inherit<S> {
        Inherit { inner }
    }
}

/// A service in an [`InheritLayer`].
#[derive(Debug, Clone)]
pub struct Inherit<S> {
    inner: S,
}

impl<S, Request, Response> Service<http::Request<Request>> for Inherit<S>
where
    S: Service<http::Request<Request>, Response = http::Response<Response>>,
    Response: Body,
{
    type Response = http::Response<InheritBody<Response>>;
    type Error = S::Error;
    type Future = InheritFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Request>) -> Self::Future {
        let inherited = Inherited::new(requested_timeout(request.headers()));
        InheritFuture {
            inner: inherited.enter(|| self.inner.call(request)),
            call: Some(Incoming {
                guard: inherited.guard(),
                inherited,
            }),
        }
    }
}

impl<S: NamedService> NamedService for Inherit<S> {
    const NAME: &'static str = S::NAME;
}

/// An incoming call under way. Dropped before it has ended, it was cancelled.
#[derive(Debug)]
struct Incoming {
    inherited: Inherited,
    guard: DropGuard,
}

/// The incoming call has ended by itself: nothing is cancelled.
fn end(call: &mut Option<Incoming>) {
    if let Some(call) = call.take() {
        call.guard.disarm();
    }
}

pin_project! {
    /// The response of an [`Inherit`] to come. Dropped, it cancels what its handler has handed to other tasks.
    #[must_use = "futures do nothing unless polled"]
    pub struct InheritFuture<F> {
        #[pin]
        inner: F,
        // `None` once the response has begun.
        call: Option<Incoming>,
    }
}

impl<F, Response, E> Future for InheritFuture<F>
where
    F: Future<Output = Result<http::Response<Response>, E>>,
    Response: Body,
{
    type Output = Result<http::Response<InheritBody<Response>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.call {
            Some(call) => call.inherited.enter(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        };
        let result = ready!(polled);
        if result.is_err() {
            end(this.call);
        }
        Poll::Ready(result.map(|response| response.map(|body| InheritBody::new(body, this.call.take()))))
    }
}

pin_project! {
    /// The body of a response of an [`Inherit`]. Dropped before its end, it cancels what its handler has handed to other
    /// tasks.
    pub struct InheritBody<B> {
        #[pin]
        inner: B,
        // `None` once the body has ended.
        call: Option<Incoming>,
    }
}

impl<B: Body> InheritBody<B> {
    fn new(inner: B, call: Option<Incoming>) -> Self {
        let mut this = Self { inner, call };
        // A server does not poll a body that has ended before it began.
        if this.inner.is_end_stream() {
            end(&mut this.call);
        }
        this
    }
}

impl<B: Body> Body for InheritBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let inner = this.inner.as_mut();
        let polled = match this.call {
            Some(call) => call.inherited.enter(|| inner.poll_frame(cx)),
            None => inner.poll_frame(cx),
        };
        let frame = ready!(polled);
        let goes_on = matches!(&frame, Some(Ok(frame)) if frame.is_data()) && !this.inner.is_end_stream();
        if !goes_on {
            end(this.call);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<F> fmt::Debug for InheritFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InheritFuture").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for InheritBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InheritBody").finish_non_exhaustive()
    }
}
