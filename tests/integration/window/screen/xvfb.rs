//! A virtual screen alone: Xvfb, started by a shell that ends it as soon as the test's process is gone, however that ended.
//! It can be stopped, so that whoever draws on it waits.

use super::{Duration, Instant, PATIENCE};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Size of the screen.
pub const SIZE: (u32, u32) = (1480, 940);

/// Starts Xvfb, tells its number, and reads until the test's end of the pipe is closed: the kernel does that for a test that
/// was killed too. Nobody else takes the number meanwhile, because the shell has not waited for it.
const GUARD: &str = r#"Xvfb -displayfd 3 "$@" 3>&1 >/dev/null 2>&1 </dev/null & echo "pid $!"
cat >/dev/null; kill -KILL $!; wait"#;

/// A virtual screen. It ends with this, or with the process.
pub struct Xvfb {
    guard: Child,
    pid: String,
    display: String,
    folder: PathBuf,
}

impl Xvfb {
    /// Starts one; its frame buffer is a file in this folder.
    pub fn start(folder: &Path) -> Self {
        let size = format!("{}x{}x24", SIZE.0, SIZE.1);
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh", "-screen", "0", &size, "-nolisten", "tcp", "-fbdir"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(guard.stdout.take().unwrap()).lines();
        let (a, b) = (line(&mut lines), line(&mut lines));
        // Who writes first is not known.
        let (pid, display) = match a.strip_prefix("pid ") {
            Some(pid) => (pid.to_owned(), b),
            None => (b.strip_prefix("pid ").expect("the shell tells it").to_owned(), a),
        };
        Self { guard, pid, display: format!(":{display}"), folder: folder.to_owned() }
    }

    /// What `DISPLAY` has to be.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Its process.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// From now on it answers nobody: a program that draws waits.
    pub fn stop(&self) {
        signal("STOP", &self.pid);
    }

    /// It goes on.
    pub fn go_on(&self) {
        signal("CONT", &self.pid);
    }

    /// What is on the screen: columns, rows, and blue, green, red, nothing for each pixel.
    pub fn picture(&self) -> (usize, usize, Vec<u8>) {
        // The frame buffer's file: a header of big-endian numbers (X11/XWDFile.h), colours, lines.
        let file = std::fs::read(self.folder.join("Xvfb_screen0")).unwrap();
        let number = |i: usize| u32::from_be_bytes(file[4 * i..4 * i + 4].try_into().unwrap()) as usize;
        let (header, width, height, line, colors) = (number(0), number(4), number(5), number(12), number(19));
        assert_eq!(number(11), 32, "bits of a pixel");
        let start = header + colors * 12;
        let lines = file[start..].chunks_exact(line).take(height);
        (width, height, lines.flat_map(|l| l[..4 * width].to_vec()).collect())
    }
}

fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines.next().expect("Xvfb tells no display").unwrap()
}

/// Sends a signal to a process of ours.
pub fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), pid]).status().unwrap();
    assert!(sent.success(), "no process {pid} for SIG{name}");
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error means that it has ended already.
        let _ = self.guard.wait();
    }
}

/// The test below starts it, and kills it.
#[test]
#[ignore = "another test starts it"]
fn holds_a_screen_until_it_is_killed() {
    let screen = Xvfb::start(Path::new(&std::env::var("TETHERSCOPE_TEST_FOLDER").unwrap()));
    println!("screen {}", screen.pid());
    std::thread::sleep(PATIENCE);
}

#[test]
fn a_virtual_screen_ends_with_a_test_that_is_killed() {
    if let Some(tool) = super::missing() {
        eprintln!("passed over: {tool} is not installed");
        return;
    }
    let folder = crate::harness::scratch("window-killed");
    let holder = "window::screen::xvfb::holds_a_screen_until_it_is_killed";
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact", holder])
        .env("TETHERSCOPE_TEST_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let pid =
        lines.map_while(Result::ok).find_map(|l| l.split("screen ").nth(1).map(str::to_owned)).expect("it starts");
    let there = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap().success();
    assert!(there());
    test.kill().unwrap();
    test.wait().unwrap();
    let until = Instant::now() + PATIENCE;
    while there() {
        assert!(Instant::now() < until, "Xvfb {pid} was left behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}
