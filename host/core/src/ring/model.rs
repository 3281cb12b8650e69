//! Models of the ring's shared state under loom: every order in which threads can interleave, and every value that a
//! relaxed load may see, within a bound of preemptions. The files under test are the ring's own, compiled against loom's
//! atomics. What lies beside a slot stands for its pixels too: both change hands by the same states.

mod sync {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Condvar, Mutex};
    // Counts of references are the standard library's business, and loom's `Arc` cannot be a `self`.
    pub(crate) use std::sync::Arc;

    use loom::sync::atomic::AtomicBool;
    use std::sync::{LockResult, TryLockError, TryLockResult};

    /// A mutex whose letting go is an atomic store: loom tries all that may come between that and what follows, which it
    /// does not for its own mutex. Orders memory as the standard library's does.
    #[derive(Debug)]
    pub(crate) struct TurnMutex<T> {
        taken: AtomicBool,
        value: Mutex<T>,
    }

    pub(crate) struct Turn<'a, T> {
        value: Option<loom::sync::MutexGuard<'a, T>>,
        taken: &'a AtomicBool,
    }

    impl<T> TurnMutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self { taken: AtomicBool::new(false), value: Mutex::new(value) }
        }

        pub(crate) fn try_lock(&self) -> TryLockResult<Turn<'_, T>> {
            match self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => Ok(Turn { value: Some(self.value.lock().unwrap()), taken: &self.taken }),
                Err(_) => Err(TryLockError::WouldBlock),
            }
        }

        pub(crate) fn lock(&self) -> LockResult<Turn<'_, T>> {
            loop {
                if let Ok(turn) = self.try_lock() {
                    return Ok(turn);
                }
                loom::thread::yield_now();
            }
        }
    }

    impl<T> Drop for Turn<'_, T> {
        fn drop(&mut self) {
            self.value = None;
            self.taken.store(false, Ordering::Release);
        }
    }

    impl<T> std::ops::Deref for Turn<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.value.as_ref().expect("it is there until it is dropped")
        }
    }

    impl<T> std::ops::DerefMut for Turn<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.value.as_mut().expect("it is there until it is dropped")
        }
    }
}

#[allow(dead_code, clippy::duplicate_mod)]
#[path = "bell.rs"]
mod bell;
#[allow(dead_code, clippy::duplicate_mod)]
#[path = "combine.rs"]
mod combine;
#[allow(dead_code, clippy::duplicate_mod)]
#[path = "slots.rs"]
mod slots;

use combine::Combine;
use loom::thread;
use slots::{Held, Slots};
use sync::{Arc, AtomicUsize, Ordering};
use tetherscope_loader::SharedRegion;

/// Threads are interrupted so often at most: real races need two, and more cost minutes.
const PREEMPTIONS: usize = 3;

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(f);
}

fn slots(n: usize) -> Arc<Slots<u64>> {
    Arc::new(Slots::new(SharedRegion::new(n * 4096).unwrap(), 16, vec![0; n]))
}

/// Makes a frame of a lent slot.
fn frame(slots: &Arc<Slots<u64>>, slot: usize, number: u64) -> Held<u64> {
    let mut filling = slots.begin(slot).expect("it is lent");
    *filling.beside() = number;
    filling.finish()
}

#[test]
fn a_slot_is_not_written_before_its_last_reader_is_done() {
    model(|| {
        let slots = slots(1);
        let held = frame(&slots, slots.lend().unwrap(), 7);
        let readers: Vec<_> =
            [held.clone(), held].into_iter().map(|held| thread::spawn(move || assert_eq!(*held.beside(), 7))).collect();
        // The camera, at the same time: what it writes would be seen as a race by loom, and as a number by the readers.
        if let Some(mut filling) = slots.fill(&[8]) {
            *filling.beside() = 8;
        }
        readers.into_iter().for_each(|r| r.join().unwrap());
        assert_eq!(slots.census(), (1, 0, 0), "every slot is free in the end");
    });
}

#[test]
fn a_clone_made_while_others_let_go_keeps_its_frame() {
    model(|| {
        let slots = slots(1);
        let held = frame(&slots, slots.lend().unwrap(), 7);
        let other = held.clone();
        let reader = thread::spawn(move || {
            let clone = other.clone();
            drop(other);
            assert_eq!(*clone.beside(), 7);
        });
        drop(held);
        if let Some(slot) = slots.lend() {
            drop(frame(&slots, slot, 8));
        }
        reader.join().unwrap();
        assert_eq!(slots.census(), (1, 0, 0));
    });
}

#[test]
fn a_free_slot_has_one_taker_and_a_lent_one_is_committed_or_given_back_once() {
    model(|| {
        let slots = slots(1);
        let other = thread::spawn({
            let slots = slots.clone();
            move || slots.lend().is_some()
        });
        let mine = slots.fill(&[1, 2, 3]).is_some();
        let theirs = other.join().unwrap();
        assert!(mine || theirs, "somebody gets it");
        // A filling that is dropped frees its slot, so both may have had it, one after the other.
        let lent = if theirs { 0 } else { slots.lend().unwrap() };
        let back = thread::spawn({
            let slots = slots.clone();
            move || slots.give_back(lent)
        });
        let committed = slots.begin(lent).is_some();
        assert_ne!(back.join().unwrap(), committed, "one of both");
        assert_eq!(slots.census(), (1, 0, 0));
    });
}

#[test]
fn who_waits_for_a_slot_is_woken_when_one_becomes_free() {
    model(|| {
        let slots = slots(1);
        let held = frame(&slots, slots.lend().unwrap(), 7);
        let camera = thread::spawn({
            let slots = slots.clone();
            // Without a time limit: a lost wake-up is a deadlock, which loom finds.
            move || slots.freed.wait_for(None, || slots.lend()).unwrap()
        });
        drop(held);
        assert_eq!(camera.join().unwrap(), 0);
    });
}

#[test]
fn work_left_in_other_hands_is_always_done() {
    model(|| {
        let combine = Arc::new(Combine::new(0_usize));
        let queue = Arc::new(AtomicUsize::new(0));
        let deliver = |combine: &Combine<usize>, queue: &AtomicUsize| {
            // Relaxed: the fences of `settle` are what makes it work.
            queue.fetch_add(1, Ordering::Relaxed);
            combine.settle(|| queue.load(Ordering::Relaxed) > 0, |done| *done += queue.swap(0, Ordering::Relaxed));
        };
        let other = thread::spawn({
            let (combine, queue) = (combine.clone(), queue.clone());
            move || deliver(&combine, &queue)
        });
        deliver(&combine, &queue);
        other.join().unwrap();
        assert_eq!((combine.change(|done| *done), queue.load(Ordering::SeqCst)), (2, 0));
    });
}
