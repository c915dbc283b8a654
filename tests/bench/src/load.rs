//! So many callers at once, each making one call after the other.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::Failure;
use crate::client::{Caller, Job};

/// What a load took.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Calls per second.
    pub throughput: f64,
    /// The median of the calls' times, in seconds.
    pub p50: f64,
    /// What one call in a hundred exceeded, in seconds.
    pub p99: f64,
    /// Processor time of this process per call, in seconds: of all its threads, the kernel's work for them included.
    pub cpu: f64,
}

/// Makes so many calls, shared out among `concurrency` callers. Reads no clock: what is counted is the calls.
///
/// # Errors
///
/// The first call that failed.
pub async fn count<C: Caller>(client: &C, job: &Job, concurrency: usize, calls: usize) -> Result<(), Failure> {
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

/// Calls for as long as `warm_up` unmeasured, then for as long as `measured`.
///
/// # Errors
///
/// The first call that failed.
pub async fn time<C: Caller>(
    client: &C,
    job: &Job,
    concurrency: usize,
    warm_up: Duration,
    measured: Duration,
) -> Result<Sample, Failure> {
    let mut callers = Vec::new();
    for _ in 0..concurrency {
        callers.push(client.clone());
    }
    let (callers, _) = call_until(callers, job, Instant::now() + warm_up).await?;
    let (began, cpu_before) = (Instant::now(), cpu());
    let (_, mut took) = call_until(callers, job, began + measured).await?;
    let (elapsed, cpu) = (began.elapsed(), cpu() - cpu_before);
    let calls = took.len() as f64;
    Ok(Sample {
        throughput: calls / elapsed.as_secs_f64(),
        p50: quantile(&mut took, 0.50),
        p99: quantile(&mut took, 0.99),
        cpu: cpu.as_secs_f64() / calls,
    })
}

/// Has every caller call until `end`; gives the callers back, and what each call took.
async fn call_until<C: Caller>(callers: Vec<C>, job: &Job, end: Instant) -> Result<(Vec<C>, Vec<Duration>), Failure> {
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let job = job.clone();
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(1024);
            let mut began = Instant::now();
            while began < end {
                caller.call(&job).await?;
                let ended = Instant::now();
                took.push(ended - began);
                began = ended;
            }
            Ok::<_, Failure>((caller, took))
        });
    }
    let (mut callers, mut all) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (caller, took) = done??;
        callers.push(caller);
        all.extend(took);
    }
    Ok((callers, all))
}

fn quantile(took: &mut [Duration], at: f64) -> f64 {
    let index = ((took.len() as f64 * at) as usize).min(took.len().saturating_sub(1));
    match took.is_empty() {
        true => f64::NAN,
        false => took.select_nth_unstable(index).1.as_secs_f64(),
    }
}

/// What this process has used up of the processors so far, user and system time together, as `getrusage` has it but
/// in nanoseconds.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // The clock starts with the process and only rises.
    Duration::try_from(time).unwrap_or_default()
}
