//! One child process: started, watched, ended. Its pipes are the doorbells, so its death is the end of a pipe; a call that
//! takes too long is ended from outside, which then is the same thing.
//!
//! All children are started by one thread that lives as long as the program, because Linux' "end with your parent" means
//! the thread that started the child. The same thread looks after the time limits.

use super::ending::ending;
use super::{CHILD_ARGUMENT, SERVE_WORD};
use crate::group;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often the time limits are looked at while there are children.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// No call is under way.
const NO_LIMIT: i64 = i64::MAX;
/// Most bytes of a child's last words.
const MAX_WORDS_BYTES: usize = 2000;
/// Lines of a child that are passed on to the log; a flood is not.
const MAX_LOGGED_LINES: u32 = 200;
/// How long a child that closed its pipe may take to end by itself, and its last words to arrive.
const LAST_MOMENTS: Duration = Duration::from_millis(300);

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host's ends of the pipes.
pub(crate) type Pipes = (ChildStdin, BufReader<ChildStdout>);

/// A running child. Ended when dropped, with everything that it started.
pub(crate) struct Process {
    shared: Arc<Shared>,
}

struct Shared {
    id: u32,
    /// None after it was ended and waited for: its number may then be somebody else's.
    child: Mutex<Option<Child>>,
    /// When the call under way must be done, on the host's clock.
    limit_ns: AtomicI64,
    ended: Mutex<Option<ExitStatus>>,
    hung: AtomicBool,
    words: Mutex<Words>,
    words_ended: Condvar,
}

/// What a child wrote last on its standard error (and output).
#[derive(Default)]
struct Words {
    bytes: VecDeque<u8>,
    ended: bool,
}

enum Order {
    Start(Box<Command>, Sender<io::Result<Child>>),
    Watch(Weak<Shared>),
}

fn keeper() -> &'static Sender<Order> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let (to, from) = channel();
        let thread = std::thread::Builder::new().name("children".into()).spawn(move || keep(&from));
        thread.expect("a process can start a thread");
        to
    })
}

fn keep(orders: &Receiver<Order>) {
    let mut watched: Vec<Weak<Shared>> = Vec::new();
    let mut next = Instant::now() + LOOK_EVERY;
    loop {
        let order = if watched.is_empty() {
            orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            orders.recv_timeout(next.saturating_duration_since(Instant::now()))
        };
        match order {
            Ok(Order::Start(mut command, reply)) => drop(reply.send(command.spawn())),
            Ok(Order::Watch(child)) => watched.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if Instant::now() >= next {
            watched.retain(|w| w.upgrade().is_some_and(|child| child.look()));
            next = Instant::now() + LOOK_EVERY;
        }
    }
}

impl Process {
    /// Starts a child; `None` starts this executable again.
    pub(crate) fn start(executable: Option<&Path>) -> io::Result<(Self, Pipes)> {
        let mut command = match executable {
            Some(e) => Command::new(e),
            None => Command::new(std::env::current_exe()?),
        };
        command.args([CHILD_ARGUMENT, SERVE_WORD, &std::process::id().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        group::lead(&mut command);
        let (reply, started) = channel();
        let gone = || io::Error::other("the thread that starts children has ended");
        keeper().send(Order::Start(Box::new(command), reply)).map_err(|_| gone())?;
        let mut child = started.recv().map_err(|_| gone())??;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).expect("both are piped");
        let stderr = child.stderr.take().expect("it is piped");
        let shared = Arc::new(Shared {
            id: child.id(),
            child: Mutex::new(Some(child)),
            limit_ns: AtomicI64::new(NO_LIMIT),
            ended: Mutex::new(None),
            hung: AtomicBool::new(false),
            words: Mutex::default(),
            words_ended: Condvar::new(),
        });
        keeper().send(Order::Watch(Arc::downgrade(&shared))).map_err(|_| gone())?;
        let process = Self { shared: shared.clone() };
        std::thread::Builder::new().name("child-stderr".into()).spawn(move || shared.listen(stderr))?;
        Ok((process, (stdin, BufReader::with_capacity(1 << 16, stdout))))
    }

    /// From now on the child has so long for the call under way.
    pub(crate) fn limit(&self, limit: Duration) {
        let ns = i64::try_from(limit.as_nanos()).unwrap_or(NO_LIMIT);
        self.limit_at(crate::now_ns().saturating_add(ns));
    }

    /// The same, by the host's clock.
    pub(crate) fn limit_at(&self, until_ns: i64) {
        self.shared.limit_ns.store(until_ns, Ordering::Relaxed);
    }

    /// The call came back.
    pub(crate) fn unlimited(&self) {
        self.shared.limit_ns.store(NO_LIMIT, Ordering::Relaxed);
    }

    /// True if the time limit ended it.
    pub(crate) fn hung(&self) -> bool {
        self.shared.hung.load(Ordering::Relaxed)
    }

    /// Waits for the end of a child whose pipe ended, and says how it came about.
    pub(crate) fn cause_of_end(&self, limit: Duration) -> String {
        let until = Instant::now() + LAST_MOMENTS;
        let status = loop {
            match self.shared.status() {
                Ok(None) if Instant::now() < until => {}
                Ok(status) => break status,
                Err(_) => break None,
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.shared.end();
        if self.hung() {
            return format!("it did not come back within {} s, and its process was ended", limit.as_secs_f64());
        }
        let ended = match status {
            Some(status) => format!("its process ended ({})", ending(status)),
            None => "it closed the line to the host, and its process was ended".into(),
        };
        match self.last_words() {
            words if words.is_empty() => ended,
            words => format!("{ended}; its last words: {words}"),
        }
    }

    /// The last line that it wrote, cut to a sentence.
    fn last_words(&self) -> String {
        let words = lock(&self.shared.words);
        let done = self.shared.words_ended.wait_timeout_while(words, LAST_MOMENTS, |w| !w.ended);
        let (mut words, _) = done.unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(words.bytes.make_contiguous()).into_owned();
        let line = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default();
        crate::library::one_line(super::server::split_log(line).1, 200)
    }

    /// Ends it now.
    pub(crate) fn end(&self) {
        self.shared.end();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    /// Looks whether a call takes too long, or whether the child died while something that it started holds its pipe.
    /// False when there is nothing more to look after.
    fn look(&self) -> bool {
        let limit_ns = self.limit_ns.load(Ordering::Relaxed);
        if limit_ns < crate::now_ns() {
            self.hung.store(true, Ordering::Relaxed);
            self.end();
            return false;
        }
        if limit_ns != NO_LIMIT && !matches!(self.status(), Ok(None)) {
            group::end_all(self.id);
        }
        true
    }

    /// How it ended; None while it runs.
    fn status(&self) -> io::Result<Option<ExitStatus>> {
        match &mut *lock(&self.child) {
            Some(child) => child.try_wait(),
            None => Ok(*lock(&self.ended)),
        }
    }

    /// Ends the child and everything that it started, and waits for it.
    fn end(&self) {
        let mut place = lock(&self.child);
        let Some(mut child) = place.take() else { return };
        group::end_all(self.id);
        // An error means that it has ended already.
        let _ = child.kill();
        *lock(&self.ended) = child.wait().ok();
    }

    /// Reads what the child says until it ends: passes the first lines on, keeps the last, and lets a flood run dry.
    fn listen(&self, mut from: ChildStderr) {
        let mut logged = 0;
        let mut chunk = [0_u8; 4096];
        let mut line = Vec::new();
        while let Ok(n @ 1..) = from.read(&mut chunk) {
            let mut words = lock(&self.words);
            words.bytes.extend(&chunk[..n]);
            let beyond = words.bytes.len().saturating_sub(MAX_WORDS_BYTES);
            words.bytes.drain(..beyond);
            drop(words);
            for &byte in &chunk[..n] {
                if byte != b'\n' {
                    if logged < MAX_LOGGED_LINES && line.len() < MAX_WORDS_BYTES {
                        line.push(byte);
                    }
                } else if logged < MAX_LOGGED_LINES {
                    super::server::pass_on(&String::from_utf8_lossy(&line));
                    line.clear();
                    logged += 1;
                }
            }
        }
        lock(&self.words).ended = true;
        self.words_ended.notify_all();
    }
}
