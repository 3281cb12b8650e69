//! A virtual screen with the real program on it: started, clicked and typed at as a person would, and read through the file
//! of texts that the window keeps for tests. Nothing here knows the engine.

mod xvfb;

use crate::harness::program;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xvfb::Xvfb;

pub use xvfb::SIZE;

/// A machine that is slower than this is broken.
const PATIENCE: Duration = Duration::from_secs(240);

/// What keeps this machine from having a virtual screen; none if it can.
pub fn missing() -> Option<&'static str> {
    let there = |name: &str| {
        let search = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&search).any(|folder| folder.join(name).is_file())
    };
    ["Xvfb", "xdotool"].into_iter().find(|tool| !there(tool))
}

/// Something to be read in the window, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub kind: String,
    pub name: String,
    pub text: String,
    pub at: (f64, f64),
    pub size: (f64, f64),
}

impl Seen {
    /// Its middle.
    pub fn middle(&self) -> (f64, f64) {
        (self.at.0 + self.size.0 / 2.0, self.at.1 + self.size.1 / 2.0)
    }
}

/// A screen and the program on it. Both end with it.
pub struct Screen {
    xvfb: Xvfb,
    program: Option<Child>,
    folder: PathBuf,
}

impl Screen {
    /// Starts both in a folder of their own, which holds the user's home too.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let xvfb = Xvfb::start(folder);
        let runtime = folder.join("run");
        std::fs::create_dir(&runtime).unwrap();
        let [log, out] = ["stderr", "stdout"].map(|name| std::fs::File::create(folder.join(name)).unwrap());
        let mut program = Command::new(program());
        program.args(args).current_dir(folder).env("DISPLAY", xvfb.display()).env("XDG_RUNTIME_DIR", &runtime);
        program.env("TETHERSCOPE_PREFERENCES", folder.join("window.json"));
        program.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("TETHERSCOPE_PLUGIN_PATH");
        for (name, place) in
            [("HOME", "."), ("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")]
        {
            program.env(name, folder.join(place));
        }
        let program = program.stdin(Stdio::null()).stdout(out).stderr(log).spawn().unwrap();
        Self { xvfb, program: Some(program), folder: folder.to_owned() }
    }

    /// What the program printed, and what it complained about.
    pub fn said(&self) -> String {
        let [out, err] = ["stdout", "stderr"].map(|name| std::fs::read_to_string(self.folder.join(name)).unwrap());
        if out.is_empty() { err } else { out }
    }

    fn xdotool(&self, args: &[&str]) {
        let ran = Command::new("xdotool").args(args).env("DISPLAY", self.xvfb.display()).output().unwrap();
        assert!(ran.status.success(), "xdotool {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Everything that is to be read now.
    pub fn seen(&self) -> Vec<Seen> {
        let text = std::fs::read_to_string(self.folder.join("seen")).unwrap_or_default();
        let one = |line: &str| {
            let v: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
            let number = |key: &str| v[key].as_f64().unwrap();
            let (at, size) = ((number("x"), number("y")), (number("w"), number("h")));
            Seen { kind: text("kind"), name: text("name"), text: text("text"), at, size }
        };
        text.lines().map(one).collect()
    }

    /// Waits until something is seen.
    #[track_caller]
    pub fn wait(&mut self, what: &str, find: impl Fn(&Seen) -> bool) -> Seen {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if let Some(found) = seen.iter().find(|s| find(s)) {
                return found.clone();
            }
            let ended = self.program.as_mut().and_then(|p| p.try_wait().unwrap());
            if ended.is_some() || Instant::now() > until {
                let texts: Vec<&str> = seen.iter().map(|s| s.text.as_str()).collect();
                let log = std::fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
                panic!("waited in vain for {what}; ended: {ended:?}; seen: {texts:#?}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for a text that contains this one.
    #[track_caller]
    pub fn read(&mut self, text: &str) -> Seen {
        self.wait(text, |s| s.kind == "text" && s.text.contains(text))
    }

    /// Waits for exactly this text.
    #[track_caller]
    pub fn label(&mut self, text: &str) -> Seen {
        self.wait(text, |s| s.kind == "text" && s.text == text)
    }

    /// Waits for a place or a field of this name.
    #[track_caller]
    pub fn place(&mut self, name: &str) -> Seen {
        self.wait(name, |s| s.name == name)
    }

    /// Clicks at a place of the window. A person's hand is slower than a machine: so is this one.
    pub fn click_at(&self, (x, y): (f64, f64)) {
        let (x, y) = (format!("{x:.0}"), format!("{y:.0}"));
        self.xdotool(&["mousemove", &x, &y, "sleep", "0.1", "mousedown", "1", "sleep", "0.1", "mouseup", "1"]);
    }

    /// Clicks what carries this text.
    #[track_caller]
    pub fn click(&mut self, text: &str) {
        let found = self.label(text);
        self.click_at(found.middle());
    }

    /// Chooses an entry of a list by its number.
    #[track_caller]
    pub fn choose(&mut self, list: &str, entry: usize) {
        let list = self.place(list);
        self.click_at(list.middle());
        std::thread::sleep(Duration::from_secs(1));
        // Entries hang below the list, each as high as a line of the list is.
        let (x, y) = list.middle();
        self.click_at((x, y + list.size.1 * (entry as f64 + 1.0)));
    }

    /// Replaces what stands in a field.
    #[track_caller]
    pub fn fill(&mut self, field: &str, text: &str) {
        let found = self.place(field);
        self.click_at(found.middle());
        self.key("ctrl+a");
        self.xdotool(&["type", "--delay", "60", "--", text]);
        self.wait(&format!("`{text}` in {field}"), |s| s.name == field && s.text == text);
    }

    /// Presses a key.
    pub fn key(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    /// The window hears keys; there is no window manager that would see to it.
    pub fn focus(&self) {
        self.xdotool(&["search", "--sync", "--onlyvisible", "--name", "Tetherscope", "windowfocus"]);
    }

    /// What is on the screen: columns, rows, and blue, green, red, nothing for each pixel.
    pub fn picture(&self) -> (usize, usize, Vec<u8>) {
        self.xvfb.picture()
    }

    /// The screen answers no more, until it goes on: the window waits for it.
    pub fn stall(&self) {
        self.xvfb.stop();
    }

    /// The screen answers again.
    pub fn go_on(&self) {
        self.xvfb.go_on();
    }

    /// Sends a signal to the program.
    pub fn signal(&self, name: &str) {
        let program = self.program.as_ref().expect("it runs");
        xvfb::signal(name, &program.id().to_string());
    }

    /// Waits for the program to end; its exit code.
    pub fn ended(&mut self) -> i32 {
        let mut program = self.program.take().expect("it runs");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = program.try_wait().unwrap() {
                return status.code().expect("the program was ended by a signal");
            }
            if Instant::now() > until {
                let _ = program.kill();
                panic!("the program did not end");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}
