//! Looks between two rounds, when no call is under way: at the pools' counts, at tasks, sockets and memory.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::load::Load;

/// Rounds that it takes to tell growth from a start.
pub(crate) const FEWEST: usize = 4;

/// Within this time what has ended must be gone: the farewell of a connection whose peer does not read, twice.
const PATIENCE: Duration = Duration::from_secs(25);

/// By how much the memory of the last rounds may be above that of the first: allocators keep some for each thread. Where
/// it is in doubt, `MALLOC_ARENA_MAX=1` tells (glibc).
const SLACK: u64 = 16 << 20;

/// What there was at the beginning, and since.
pub(crate) struct Watch {
    began: Instant,
    tasks: usize,
    files: usize,
    memory: Vec<u64>,
    succeeded: Vec<u64>,
}

impl Watch {
    /// Before the first round.
    pub(crate) fn new(load: &Load) -> Self {
        Self {
            began: Instant::now(),
            tasks: tasks(),
            files: files(),
            memory: Vec::new(),
            succeeded: vec![0; load.pools.len()],
        }
    }

    /// After a round: what is left must be the pools' connections, and no more.
    pub(crate) async fn look(&mut self, load: &Load) -> Result<(), String> {
        let since = Instant::now();
        while let Err(problem) = self.check(load) {
            if since.elapsed() > PATIENCE {
                return Err(problem);
            }
            sleep(Duration::from_millis(20)).await;
        }
        let waited = since.elapsed();
        let memory = memory();
        self.memory.push(memory);
        let [mut succeeded, mut failed, mut cancelled] = [0; 3];
        for (results, before) in load.results.iter().zip(&mut self.succeeded) {
            let now = results.succeeded.load(Relaxed);
            if now == *before {
                return Err(format!("no call succeeded in a whole round: {:?}", load.results));
            }
            *before = now;
            succeeded += now;
            failed += results.failed.load(Relaxed);
            cancelled += results.cancelled.load(Relaxed);
        }
        let opened: u64 = load.pools.iter().map(|pool| pool.stats().opened).sum();
        println!(
            "{:>5} s: {succeeded} calls succeeded, {failed} failed, {cancelled} cancelled; {opened} connections opened; \
             {} tasks, {} files, {} KiB; quiet after {} ms",
            self.began.elapsed().as_secs(),
            tasks(),
            files(),
            memory >> 10,
            waited.as_millis(),
        );
        Ok(())
    }

    fn check(&self, load: &Load) -> Result<(), String> {
        let mut expected = 0;
        for pool in &load.pools {
            let stats = pool.stats();
            if (stats.in_flight, stats.waiting) != (0, 0) {
                return Err(format!("slots are not given back:\n{stats}"));
            }
            if stats.opened - stats.closed != stats.connections.len() as u64 {
                return Err(format!("the sums do not add up:\n{stats}"));
            }
            expected += stats.connections.len() + stats.dialing;
        }
        check_at_most("tasks", tasks(), self.tasks + expected)?;
        check_at_most("open files", files(), self.files + expected)
    }

    /// The last quarter of the rounds must not be above the second one, in which everything has happened once.
    pub(crate) fn judge_memory(&self) -> Result<(), String> {
        let quarter = self.memory.len().div_ceil(4);
        let most = |rounds: &[u64]| rounds.iter().copied().max().unwrap_or(0);
        let before = most(&self.memory[..2 * quarter]);
        let after = most(&self.memory[self.memory.len() - quarter..]);
        if after > before + SLACK {
            return Err(format!("memory went from {} KiB to {} KiB", before >> 10, after >> 10));
        }
        Ok(())
    }

    /// After the pools were closed: no more than at the beginning.
    pub(crate) async fn look_at_the_end(&self) -> Result<(), String> {
        let since = Instant::now();
        loop {
            let left = check_at_most("tasks", tasks(), self.tasks)
                .and_then(|()| check_at_most("open files", files(), self.files));
            match left {
                Err(problem) if since.elapsed() > PATIENCE => return Err(format!("after close: {problem}")),
                Err(_) => sleep(Duration::from_millis(20)).await,
                Ok(()) => return Ok(()),
            }
        }
    }
}

fn check_at_most(what: &str, are: usize, should_be: usize) -> Result<(), String> {
    if are > should_be {
        return Err(format!("{are} {what}, and no reason for more than {should_be}"));
    }
    Ok(())
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Open files, sockets included; none where the system does not tell.
fn files() -> usize {
    // The listing has one open itself.
    std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1))
}

/// Resident memory in bytes; none where the system does not tell.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
