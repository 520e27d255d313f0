//! An ordered pipeline over a few buffers: read one after the other, work on many at once, emit one after the other in the order they were read.
//!
//! Three kinds of jobs, and any thread takes whichever is most urgent: what is emitted frees a buffer, so it comes first; then work; then reading
//! ahead. Reading and emitting are each done by one thread at a time, so that they may carry state from one item to the next (a file's position, a
//! digest). The number of buffers is fixed, so memory is bounded whatever the length of the stream. A single item never starts a thread.
//!
//! An error is reported where it stands in the order: what came before it has been emitted, and nothing after it is.
//!
//! Out of scope: what the jobs do. No unsafe, no channels: one lock around a small table, held for moments.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Most threads of one pipeline. More would wait for the sequential digests.
const MAX_THREADS: usize = 8;

/// Buffers for each thread: one that it works on, one that waits.
const BUFFERS_A_THREAD: usize = 2;

/// Whether a stream goes on after the item that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    Ends,
}

/// How many threads may work on one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(usize);

impl Threads {
    /// No other thread than the caller's.
    pub const ONE: Self = Self(1);

    /// So many, the caller's among them; at least one, at most eight.
    pub fn new(count: usize) -> Self {
        Self(count.clamp(1, MAX_THREADS))
    }

    /// As many as this machine has cores for, at most eight.
    pub fn available() -> Self {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }
}

/// The three jobs of a pipeline.
pub(crate) struct Jobs<R, K, M> {
    /// Fills a buffer with the next item.
    pub(crate) read: R,
    /// Works on it.
    pub(crate) work: K,
    /// Takes it, in order.
    pub(crate) emit: M,
}

/// Runs the pipeline to its end. `make` makes a buffer; each is used again and again.
pub(crate) fn run<B, E, R, K, M>(
    threads: Threads,
    make: impl Fn() -> B + Sync,
    mut jobs: Jobs<R, K, M>,
) -> Result<(), E>
where
    B: Send,
    E: Send,
    R: FnMut(&mut B) -> Result<Goes, E> + Send,
    K: Fn(&mut B) -> Result<(), E> + Sync,
    M: FnMut(&mut B) -> Result<(), E> + Send,
{
    let mut buffer = make();
    let mut goes = (jobs.read)(&mut buffer)?;
    if goes == Goes::On && threads.0 > 1 {
        return run_threads(threads.0, make, jobs, buffer);
    }
    loop {
        (jobs.work)(&mut buffer)?;
        (jobs.emit)(&mut buffer)?;
        if goes == Goes::Ends {
            return Ok(());
        }
        goes = (jobs.read)(&mut buffer)?;
    }
}

fn run_threads<B, E, R, K, M>(
    threads: usize,
    make: impl Fn() -> B + Sync,
    jobs: Jobs<R, K, M>,
    first: B,
) -> Result<(), E>
where
    B: Send,
    E: Send,
    R: FnMut(&mut B) -> Result<Goes, E> + Send,
    K: Fn(&mut B) -> Result<(), E> + Sync,
    M: FnMut(&mut B) -> Result<(), E> + Send,
{
    let table = Table {
        read: Some(jobs.read),
        emit: Some(jobs.emit),
        free: Vec::new(),
        unmade: threads * BUFFERS_A_THREAD + 1,
        unworked: VecDeque::from([(0, first)]),
        worked: VecDeque::from([None]),
        emitted: 0,
        ended: false,
        outcome: None,
    };
    let shared = Shared { table: Mutex::new(table), changed: Condvar::new(), work: jobs.work, make };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| shared.serve());
        }
        shared.serve();
    });
    let outcome = shared.table.into_inner().unwrap_or_else(PoisonError::into_inner).outcome;
    // No outcome: a job panicked on another thread, and the scope has passed the panic on.
    outcome.unwrap_or(Ok(()))
}

/// Where every buffer is.
struct Table<B, E, R, M> {
    /// The reading job; taken while it runs.
    read: Option<R>,
    /// The emitting job; taken while it runs.
    emit: Option<M>,
    free: Vec<B>,
    /// How many more buffers may be made.
    unmade: usize,
    /// Read and waiting for work, each with its place in the order.
    unworked: VecDeque<(u64, B)>,
    /// From the next to be emitted on: none where it is still being read or worked on.
    worked: VecDeque<Option<Result<B, E>>>,
    /// How many have been emitted, which is the place of the front of `worked`.
    emitted: u64,
    /// Nothing more is read.
    ended: bool,
    /// How it all came out; everybody leaves once it is there.
    outcome: Option<Result<(), E>>,
}

enum Job<B, E, R, M> {
    Emit(M, Result<B, E>),
    Work(u64, B),
    Read(R, Option<B>, u64),
}

impl<B, E, R, M> Table<B, E, R, M> {
    fn next_job(&mut self) -> Option<Job<B, E, R, M>> {
        if let Some(Some(_)) = self.worked.front()
            && let Some(emit) = self.emit.take()
            && let Some(Some(item)) = self.worked.pop_front()
        {
            self.emitted += 1;
            return Some(Job::Emit(emit, item));
        }
        if let Some((place, buffer)) = self.unworked.pop_front() {
            return Some(Job::Work(place, buffer));
        }
        if self.ended || (self.free.is_empty() && self.unmade == 0) {
            return None;
        }
        let read = self.read.take()?;
        let buffer = self.free.pop();
        if buffer.is_none() {
            self.unmade -= 1;
        }
        let place = self.emitted + self.worked.len() as u64;
        self.worked.push_back(None);
        Some(Job::Read(read, buffer, place))
    }

    /// The item at this place is ready to be emitted, or is where the stream breaks off.
    fn settle(&mut self, place: u64, item: Result<B, E>) {
        // A place is settled once, after it was pushed and before it is emitted; it is as near as there are buffers.
        let index = usize::try_from(place - self.emitted).ok();
        if let Some(slot) = index.and_then(|index| self.worked.get_mut(index)) {
            *slot = Some(item);
        }
    }

    fn emitted(&mut self, buffer: B) {
        self.free.push(buffer);
        if self.ended && self.worked.is_empty() {
            self.outcome = Some(Ok(()));
        }
    }
}

struct Shared<B, E, R, K, M, F> {
    table: Mutex<Table<B, E, R, M>>,
    changed: Condvar,
    work: K,
    make: F,
}

impl<B, E, R, K, M, F> Shared<B, E, R, K, M, F>
where
    R: FnMut(&mut B) -> Result<Goes, E>,
    K: Fn(&mut B) -> Result<(), E>,
    M: FnMut(&mut B) -> Result<(), E>,
    F: Fn() -> B,
{
    fn lock(&self) -> MutexGuard<'_, Table<B, E, R, M>> {
        // Jobs run outside the lock, so a panic of theirs leaves the table whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every thread does until there is an outcome.
    fn serve(&self) {
        let _guard = PanicGuard(self);
        let mut table = self.lock();
        while table.outcome.is_none() {
            match table.next_job() {
                Some(job) => {
                    drop(table);
                    self.perform(job);
                    table = self.lock();
                }
                None => table = self.changed.wait(table).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn perform(&self, job: Job<B, E, R, M>) {
        match job {
            Job::Emit(mut emit, item) => {
                let emitted = item.and_then(|mut buffer| emit(&mut buffer).map(|()| buffer));
                let mut table = self.lock();
                table.emit = Some(emit);
                match emitted {
                    Ok(buffer) => table.emitted(buffer),
                    Err(error) => table.outcome = Some(Err(error)),
                }
            }
            Job::Work(place, mut buffer) => {
                let worked = (self.work)(&mut buffer).map(|()| buffer);
                self.lock().settle(place, worked);
            }
            Job::Read(mut read, buffer, place) => {
                let mut buffer = buffer.unwrap_or_else(&self.make);
                let goes = read(&mut buffer);
                let mut table = self.lock();
                table.read = Some(read);
                table.ended = !matches!(goes, Ok(Goes::On));
                match goes {
                    Ok(_) => table.unworked.push_back((place, buffer)),
                    Err(error) => table.settle(place, Err(error)),
                }
            }
        }
        self.changed.notify_all();
    }
}

/// Lets the other threads go when a job panics, so that the panic is passed on instead of waiting for ever.
struct PanicGuard<'a, B, E, R, K, M, F>(&'a Shared<B, E, R, K, M, F>);

impl<B, E, R, K, M, F> Drop for PanicGuard<'_, B, E, R, K, M, F> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.outcome.get_or_insert(Ok(()));
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Runs over the numbers below `count`; gives what was emitted, the outcome, and how many buffers were made.
    fn numbers(threads: usize, count: u32, bad: [Option<u32>; 3]) -> (Vec<u32>, Result<(), &'static str>, usize) {
        let made = AtomicUsize::new(0);
        let (mut next, mut emitted) = (0, Vec::new());
        let [bad_read, bad_work, bad_emit] = bad;
        let check = |bad, number, what| if bad == Some(number) { Err(what) } else { Ok(()) };
        let outcome = run(
            Threads::new(threads),
            || {
                made.fetch_add(1, Ordering::Relaxed);
                0_u32
            },
            Jobs {
                read: |buffer: &mut u32| {
                    *buffer = next;
                    next += 1;
                    check(bad_read, *buffer, "read")?;
                    Ok(if next == count { Goes::Ends } else { Goes::On })
                },
                work: |buffer: &mut u32| check(bad_work, *buffer, "work"),
                emit: |buffer: &mut u32| {
                    check(bad_emit, *buffer, "emit")?;
                    emitted.push(*buffer);
                    Ok(())
                },
            },
        );
        (emitted, outcome, made.into_inner())
    }

    #[test]
    fn everything_is_emitted_in_order_with_few_buffers() {
        for threads in 1..=8 {
            for count in [1, 2, 3, 10, 1000] {
                let (emitted, outcome, made) = numbers(threads, count, [None; 3]);
                assert_eq!((outcome, emitted), (Ok(()), (0..count).collect()), "{threads} threads");
                let most = if threads == 1 || count == 1 { 1 } else { threads * BUFFERS_A_THREAD + 2 };
                assert!(made <= most, "{made} buffers for {threads} threads");
            }
        }
    }

    #[test]
    fn an_error_stands_in_its_place() {
        for threads in 1..=4 {
            for place in [0, 1, 7, 99] {
                for (which, what) in ["read", "work", "emit"].into_iter().enumerate() {
                    let mut bad = [None; 3];
                    bad[which] = Some(place);
                    let (emitted, outcome, _) = numbers(threads, 100, bad);
                    assert_eq!(outcome, Err(what));
                    assert_eq!(emitted, (0..place).collect::<Vec<_>>(), "{what} fails at {place}, {threads} threads");
                }
            }
        }
        // The first one in order is reported, whatever was noticed first.
        let (_, outcome, _) = numbers(4, 100, [Some(9), Some(5), Some(7)]);
        assert_eq!(outcome, Err("work"));
    }

    #[test]
    fn a_panic_is_passed_on() {
        for place in [0, 3] {
            let outcome = std::panic::catch_unwind(|| {
                let mut next = 0;
                let jobs = Jobs {
                    read: |buffer: &mut u32| {
                        *buffer = next;
                        next += 1;
                        Ok(Goes::On)
                    },
                    work: |buffer: &mut u32| if *buffer == place { panic!("a job's own panic") } else { Ok(()) },
                    emit: |_: &mut u32| Ok(()),
                };
                run::<u32, (), _, _, _>(Threads::new(4), || 0, jobs)
            });
            assert!(outcome.is_err());
        }
    }
}
