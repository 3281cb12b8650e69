//! Which plugin each thread of this process is in, so that a crash can be told from whom it came.
//!
//! A call notes the component where its thread has a place of its own: a few plain stores, no lock and no file. Nothing is
//! on disk while all goes well; when the process dies by a crash, what stands in these places is written down on the way
//! out (`last_words`), for the next host to find (`crashes`). Who is killed from outside writes nothing and accuses nobody.
#![allow(unsafe_code)]

#[cfg(unix)]
mod last_words;

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, compiler_fence};
use std::sync::{Mutex, PoisonError};

/// Threads that can be in a plugin at once; those beyond run as well, and leave no trace.
const N_PLACES: usize = 1024;

/// A component as it would be accused: rendered when it is loaded, since a dying process can render nothing. Lives as long
/// as the process.
#[derive(Debug)]
pub(crate) struct Suspect {
    line: Box<[u8]>,
}

impl Suspect {
    /// What is written down of it: one line of text.
    pub(crate) fn new(line: &str) -> &'static Self {
        debug_assert!(!line.contains('\n'), "one line");
        Box::leak(Box::new(Self { line: line.as_bytes().into() }))
    }
}

/// Where a thread notes what it is in. On a line of the cache of its own, so that no thread waits for another.
#[repr(align(64))]
struct Place {
    suspect: AtomicPtr<Suspect>,
    /// Name of the function: where its bytes are, and how many; read only by the thread itself.
    function: AtomicPtr<u8>,
    function_len: AtomicUsize,
}

static PLACES: [Place; N_PLACES] = [const {
    Place {
        suspect: AtomicPtr::new(std::ptr::null_mut()),
        function: AtomicPtr::new(std::ptr::null_mut()),
        function_len: AtomicUsize::new(0),
    }
}; N_PLACES];

/// Places that no thread has: those that were given back, and from where on none was ever given.
static FREE: Mutex<(Vec<usize>, usize)> = Mutex::new((Vec::new(), 0));

thread_local! {
    /// Without a destructor, so that it can be read at any time.
    static PLACE: Cell<Option<&'static Place>> = const { Cell::new(None) };
    /// Gives the thread's place back at its end.
    static GIVE_BACK: GiveBack = const { GiveBack(Cell::new(None)) };
}

struct GiveBack(Cell<Option<usize>>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        let Some(index) = self.0.take() else { return };
        // A thread that ends in the middle of a call: the plugin called `exit`, and what follows has to find it here.
        if PLACES[index].suspect.load(Ordering::Relaxed).is_null() {
            PLACE.set(None);
            FREE.lock().unwrap_or_else(PoisonError::into_inner).0.push(index);
        }
    }
}

/// A place for this thread; None when all are taken, or when the thread is about to end.
#[cold]
fn take_place() -> Option<&'static Place> {
    GIVE_BACK
        .try_with(|mine| {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            let index = free.0.pop().or_else(|| {
                let next = (free.1 < N_PLACES).then_some(free.1);
                free.1 += usize::from(next.is_some());
                next
            })?;
            mine.0.set(Some(index));
            PLACE.set(Some(&PLACES[index]));
            Some(&PLACES[index])
        })
        .ok()
        .flatten()
}

/// A call under way; its end is noted when it is dropped.
pub(crate) struct InCall {
    place: Option<&'static Place>,
    before: *mut Suspect,
}

/// Notes that this thread is in a function of a component from now on. Without a suspect nothing is noted.
#[inline]
pub(crate) fn enter(suspect: Option<&'static Suspect>, function: &'static str) -> InCall {
    let nowhere = InCall { place: None, before: std::ptr::null_mut() };
    let Some(suspect) = suspect else { return nowhere };
    let Some(place) = PLACE.get().or_else(take_place) else { return nowhere };
    let before = place.suspect.load(Ordering::Relaxed);
    place.function.store(function.as_ptr().cast_mut(), Ordering::Relaxed);
    place.function_len.store(function.len(), Ordering::Relaxed);
    place.suspect.store(std::ptr::from_ref(suspect).cast_mut(), Ordering::Relaxed);
    // What is read by a signal's handler on this very thread must stand there before the call: that is the compiler's
    // business alone.
    compiler_fence(Ordering::SeqCst);
    InCall { place: Some(place), before }
}

impl Drop for InCall {
    #[inline]
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        compiler_fence(Ordering::SeqCst);
        // In the call round this one, if there is one, the function is no longer known.
        place.function_len.store(0, Ordering::Relaxed);
        place.suspect.store(self.before, Ordering::Relaxed);
    }
}

/// What this thread is in, to be entered by threads that work for it.
pub(crate) fn current() -> Option<&'static Suspect> {
    let suspect = PLACE.get()?.suspect.load(Ordering::Relaxed);
    // SAFETY: null, or a suspect, which lives forever and is never changed.
    unsafe { suspect.as_ref() }
}

/// From now on a crash of this process is written down in this folder, which must be there. The first folder holds; later
/// calls do nothing. False where a process cannot do that.
pub(crate) fn write_down_in(folder: &Path) -> bool {
    #[cfg(unix)]
    return last_words::begin(folder);
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Option<String> {
        current().map(|s| String::from_utf8(s.line.to_vec()).unwrap())
    }

    #[test]
    fn a_thread_is_in_the_innermost_call_and_in_none_after_all() {
        let (a, b) = (Some(Suspect::new("a")), Some(Suspect::new("b")));
        assert!(line().is_none());
        let outer = enter(a, "track");
        assert_eq!(line().as_deref(), Some("a"));
        {
            let _inner = enter(b, "lookup");
            let _unknown = enter(None, "open");
            assert_eq!(line().as_deref(), Some("b"));
            // Another thread is in nothing.
            assert!(std::thread::spawn(|| current().is_none()).join().unwrap());
        }
        assert_eq!(line().as_deref(), Some("a"));
        drop(outer);
        assert!(line().is_none());
    }

    #[test]
    fn places_of_threads_that_ended_are_given_to_others() {
        let suspect = Some(Suspect::new("many"));
        for _ in 0..2 * N_PLACES {
            let in_call = move || {
                let _in = enter(suspect, "track");
                current().is_some()
            };
            assert!(std::thread::spawn(in_call).join().unwrap(), "no place is left");
        }
    }
}
