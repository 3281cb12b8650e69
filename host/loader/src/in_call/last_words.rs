//! What a dying process writes down: by which signal it dies, and which plugins it was in. Unix only.
//!
//! A handler for the signals of a crash writes a small file, puts back what handled the signal before, and lets the process
//! die as it would have. It allocates nothing, locks nothing and calls only what POSIX allows in a handler. A signal that
//! another process sent is no crash. A plugin that calls `exit` is caught on the way out, too.
#![allow(unsafe_code)]

use super::{PLACE, PLACES, Suspect};
use libc::{c_int, c_void};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The signals of a crash.
const SIGNALS: [c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP];

/// What handled each before.
static BEFORE: [OnceLock<libc::sigaction>; SIGNALS.len()] = [const { OnceLock::new() }; SIGNALS.len()];

static TARGET: OnceLock<Target> = OnceLock::new();

/// It dies once: whether somebody writes, and whether that is done.
static WRITING: AtomicBool = AtomicBool::new(false);
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// Looks of a millisecond that a second thread that crashes takes until the first has written: it would end the process.
const MOST_LOOKS: u32 = 1000;

/// Where to write, and for whom: a process that a plugin forked off has all of this memory, and is not the host.
struct Target {
    process: c_int,
    /// The file while it is written, and when it is whole.
    part: CString,
    whole: CString,
}

/// See [`super::write_down_in`].
pub(super) fn begin(folder: &Path) -> bool {
    static BEGUN: OnceLock<bool> = OnceLock::new();
    *BEGUN.get_or_init(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let name = format!("{}-{}", std::process::id(), since.map_or(0, |s| s.as_nanos()));
        let path =
            |extension: &str| CString::new(folder.join(&name).with_extension(extension).as_os_str().as_bytes()).ok();
        let (Some(part), Some(whole)) = (path("part"), path(crate::crashes::EXTENSION)) else { return false };
        // SAFETY: asks for a number.
        let process = unsafe { libc::getpid() };
        TARGET.set(Target { process, part, whole }).is_ok() && install()
    })
}

fn install() -> bool {
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        // SAFETY: a `sigaction` of zeros is valid; the handler does only what a handler may; both structs are valid places.
        unsafe {
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = on_crash as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
            // On the stack for signals, which Rust gives every thread: the other one may have overflowed.
            new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut new.sa_mask);
            let mut old: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, &new, &mut old) != 0 {
                return false;
            }
            // Set once: `begin` gets here once.
            let _ = before.set(old);
        }
    }
    // SAFETY: the function is a constant of this program, which is never unloaded.
    unsafe { libc::atexit(on_exit) == 0 }
}

extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the system passes readable information.
    let (sent, by_another) = unsafe { sender(signal, &*info) };
    let place = SIGNALS.iter().position(|s| *s == signal);
    let before = place.and_then(|i| BEFORE[i].get());
    // Who handled it before may let the process live when the signal was only sent, as Rust's own handlers do.
    let ends = !sent || (!by_another && before.is_none_or(|b| b.sa_sigaction == libc::SIG_DFL));
    if ends {
        write_down(Some(signal));
    }
    // SAFETY: a `sigaction` of zeros is the default action; all of this may be called in a handler.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, before.unwrap_or(&default), std::ptr::null_mut());
        if sent {
            // It comes when this handler has returned. What the processor found comes again by itself.
            libc::raise(signal);
        }
    }
}

/// True if somebody sent the signal, and if it was another process.
#[cfg(target_os = "linux")]
unsafe fn sender(_signal: c_int, info: &libc::siginfo_t) -> (bool, bool) {
    let sent = info.si_code <= 0;
    // SAFETY: a signal that was sent has a sender.
    (sent, sent && unsafe { info.si_pid() != libc::getpid() })
}

/// Elsewhere the codes differ: what `abort` sends is sent, the rest was found by the processor.
#[cfg(not(target_os = "linux"))]
unsafe fn sender(signal: c_int, _info: &libc::siginfo_t) -> (bool, bool) {
    (signal == libc::SIGABRT, false)
}

/// The program ends: if this thread is in a plugin, it was the plugin that ended it.
extern "C" fn on_exit() {
    if own().is_some() {
        write_down(None);
    }
}

/// What this thread is in, and the function.
fn own() -> Option<(&'static Suspect, &'static [u8])> {
    let place = PLACE.try_with(std::cell::Cell::get).ok().flatten()?;
    let suspect = place.suspect.load(Ordering::Relaxed);
    let (function, len) = (place.function.load(Ordering::Relaxed), place.function_len.load(Ordering::Relaxed));
    // SAFETY: null, or a suspect that lives forever; the function's name is a constant, written by this thread.
    unsafe {
        let function = if len == 0 { &[] } else { std::slice::from_raw_parts(function, len) };
        suspect.as_ref().map(|s| (s, function))
    }
}

/// Lines: `by SIGNAL FUNCTION` or `by exit FUNCTION`; `in` and the suspect of this thread, if it is in a plugin; `beside` and
/// each other suspect that some thread is in. Nothing at all if no thread is in any.
fn write_down(signal: Option<c_int>) {
    let Some(target) = TARGET.get() else { return };
    // SAFETY: asks for a number.
    if unsafe { libc::getpid() } != target.process {
        return;
    }
    if WRITING.swap(true, Ordering::Relaxed) {
        for _ in 0..MOST_LOOKS {
            if WRITTEN.load(Ordering::Acquire) {
                break;
            }
            // SAFETY: waits for a millisecond and looks at no file; may be called in a handler.
            unsafe { libc::poll(std::ptr::null_mut(), 0, 1) };
        }
        return;
    }
    write_note(target, signal);
    WRITTEN.store(true, Ordering::Release);
}

/// The note itself.
fn write_note(target: &Target, signal: Option<c_int>) {
    let own = own();
    let in_call = |i: usize| PLACES[i].suspect.load(Ordering::Relaxed);
    if own.is_none() && (0..PLACES.len()).all(|i| in_call(i).is_null()) {
        return;
    }
    // SAFETY: paths that end in a zero, readable bytes of their length; suspects live forever. All calls may be made in a
    // handler.
    unsafe {
        let file = libc::open(target.part.as_ptr(), libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o600);
        if file < 0 {
            return;
        }
        // What does not get through is missing in the file, which then makes no sense and is passed over.
        let write = |bytes: &[u8]| {
            let _ = libc::write(file, bytes.as_ptr().cast(), bytes.len());
        };
        write(b"by ");
        match signal {
            Some(signal) => {
                let digits = [b'0' + (signal / 10 % 10) as u8, b'0' + (signal % 10) as u8];
                write(&digits);
            }
            None => write(b"exit"),
        }
        if let Some((suspect, function)) = own {
            write(b" ");
            write(function);
            write(b"\nin ");
            write(&suspect.line);
        }
        let mine = own.map_or(std::ptr::null(), |(s, _)| std::ptr::from_ref(s));
        for i in 0..PLACES.len() {
            let other = in_call(i);
            let told = other.cast_const() == mine || (0..i).any(|k| in_call(k) == other);
            if let Some(suspect) = other.as_ref().filter(|_| !told) {
                write(b"\nbeside ");
                write(&suspect.line);
            }
        }
        write(b"\n");
        libc::close(file);
        libc::rename(target.part.as_ptr(), target.whole.as_ptr());
    }
}
