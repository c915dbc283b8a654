//! So many callers at once, each making one call after the other.

use tokio::task::JoinSet;

use crate::Failure;
use crate::client::{Caller, Job};

/// Makes `calls` calls, shared out among `concurrency` callers.
///
/// # Errors
///
/// The first call that failed.
pub async fn run<C: Caller>(client: &C, job: &Job, concurrency: usize, calls: usize) -> Result<(), Failure> {
    let mut callers = JoinSet::new();
    for caller in 0..concurrency {
        let share = calls / concurrency + usize::from(caller < calls % concurrency);
        let (mut client, job) = (client.clone(), job.clone());
        callers.spawn(async move {
            for _ in 0..share {
                client.call(&job).await?;
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(())
}
