//! The tasks of a server, ended together.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{AbortHandle, JoinSet};

/// A set of tasks, shared by the tasks themselves so that they can start further ones.
///
/// Sharing makes a cycle (a task owns the set that owns the task), so dropping the last outside
/// handle would end nothing: whoever started the set calls [`Tasks::close`] when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    /// Starts a task, unless the set is closed: then the future is dropped unpolled.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut tasks = self.lock();
        let tasks = tasks.as_mut()?;
        // Ended tasks are let go of here, or a server of many calls would only ever grow.
        while tasks.try_join_next().is_some() {}
        Some(tasks.spawn(task))
    }

    /// Aborts every task and refuses new ones.
    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    /// Like [`close`](Self::close), and waits until the tasks are gone.
    pub(crate) async fn shutdown(&self) {
        let tasks = self.lock().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hyper starts a task per stream through this.
impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
