//! Checkout and return alone, of this pool and of others.
//!
//! The other pools hold numbers, which cost nothing to make or to check. None of the pools is ever empty: what is
//! measured is the way in and out, not the waiting.

use std::convert::Infallible;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use deadpool::managed::{Metrics, RecycleResult};
use pool_runtime::Pool;
use tokio::runtime::{Builder, Runtime};
use tonic::async_trait;

use crate::Failure;
use crate::client::{Setup, ours};

/// What the other pools hold, each: bb8's and mobc's default.
const OBJECTS: u32 = 10;

/// A way to check something out and to give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// `Pool::acquire` of this project.
    Acquire,
    /// `Pool::try_acquire` of this project.
    TryAcquire,
    /// bb8.
    Bb8,
    /// deadpool.
    Deadpool,
    /// mobc.
    Mobc,
}

impl Way {
    /// The nanoseconds that a pair of checkout and return takes each of so many threads, on average.
    ///
    /// # Errors
    ///
    /// A pool that is never empty gave nothing out, or could not be set up.
    pub fn pair(self, setup: &Setup, threads: usize, pairs: u32) -> Result<f64, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let took = match self {
            Self::Acquire => time(&runtime, threads, pairs, &Acquire(runtime.block_on(ours::pool(setup))?)),
            Self::TryAcquire => time(
                &runtime,
                threads,
                pairs,
                &TryAcquire(runtime.block_on(ours::pool(setup))?),
            ),
            Self::Bb8 => time(&runtime, threads, pairs, &runtime.block_on(bb8_pool())?),
            Self::Deadpool => time(&runtime, threads, pairs, &deadpool_pool()?),
            Self::Mobc => time(&runtime, threads, pairs, &mobc_pool()),
        };
        Ok(took?.as_secs_f64() * 1e9 / f64::from(pairs))
    }
}

/// Every thread does so many pairs, all beginning at once; the mean of what they take.
fn time<P: Pairs>(runtime: &Runtime, threads: usize, pairs: u32, pool: &P) -> Result<Duration, Failure> {
    // Whatever a pool makes lazily is there before the clock runs.
    runtime.block_on(repeat(pool, 1_000))?;
    let start = Barrier::new(threads);
    let count = u32::try_from(threads)?;
    std::thread::scope(|scope| {
        let start = &start;
        let one = || {
            scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                runtime.block_on(repeat(pool, pairs)).map(|()| began.elapsed())
            })
        };
        let running: Vec<_> = (0..threads).map(|_| one()).collect();
        let mut total = Duration::ZERO;
        for thread in running {
            total += thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(total / count)
    })
}

async fn repeat<P: Pairs>(pool: &P, pairs: u32) -> Result<(), Failure> {
    for _ in 0..pairs {
        pool.pair().await?;
    }
    Ok(())
}

/// A pool from which something can be checked out and given back.
trait Pairs: Sync {
    fn pair(&self) -> impl Future<Output = Result<(), Failure>> + Send;
}

struct Acquire(Pool);

impl Pairs for Acquire {
    async fn pair(&self) -> Result<(), Failure> {
        drop(self.0.acquire().await?);
        Ok(())
    }
}

struct TryAcquire(Pool);

impl Pairs for TryAcquire {
    async fn pair(&self) -> Result<(), Failure> {
        drop(self.0.try_acquire()?);
        Ok(())
    }
}

impl Pairs for bb8::Pool<Numbers> {
    async fn pair(&self) -> Result<(), Failure> {
        drop(self.get().await?);
        Ok(())
    }
}

impl Pairs for deadpool::managed::Pool<Numbers> {
    async fn pair(&self) -> Result<(), Failure> {
        drop(self.get().await?);
        Ok(())
    }
}

impl Pairs for mobc::Pool<Numbers> {
    async fn pair(&self) -> Result<(), Failure> {
        drop(self.get().await?);
        Ok(())
    }
}

async fn bb8_pool() -> Result<bb8::Pool<Numbers>, Infallible> {
    let builder = bb8::Pool::builder().max_size(OBJECTS).min_idle(OBJECTS);
    builder.build(Numbers).await
}

fn deadpool_pool() -> Result<deadpool::managed::Pool<Numbers>, Failure> {
    let builder = deadpool::managed::Pool::builder(Numbers).max_size(OBJECTS as usize);
    Ok(builder.build()?)
}

fn mobc_pool() -> mobc::Pool<Numbers> {
    let size = u64::from(OBJECTS);
    mobc::Pool::builder().max_open(size).max_idle(size).build(Numbers)
}

/// Makes numbers, all of them good.
struct Numbers;

impl bb8::ManageConnection for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

impl deadpool::managed::Manager for Numbers {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

#[async_trait]
impl mobc::Manager for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn check(&self, number: u64) -> Result<u64, Infallible> {
        Ok(number)
    }
}
