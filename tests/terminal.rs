//! What a person sees at a terminal, in tmux: progress, hints, colours, Ctrl-C and Ctrl-D, completions, the manual
//! page.
//!
//! Tests whose shell, or tmux, is missing are skipped with a note.

mod common;

use common::{BINARY, Kind, PATIENCE, eventually, input_and_output, pmapgcd, run};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whether all of these programs are installed; prints which is not.
fn has(programs: &[&str]) -> bool {
    let is_there = |program: &&&str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        found.unwrap().success()
    };
    let missing = programs.iter().find(|program| !is_there(program));
    missing.inspect(|program| common::skipped(&format!("there is no {program}"))).is_none()
}

/// A terminal with a shell in it, in a folder with some rows. It ends when this is dropped.
struct Terminal {
    server: String,
    folder: TempDir,
}

impl Terminal {
    /// With a prompt of `> `, so many columns wide, and the program in the path.
    fn new(shell: &str, columns: u16) -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let server = format!("pmapgcd-{}-{}", std::process::id(), SERVERS.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let own = Path::new(BINARY).parent().unwrap().display();
        let path = format!("PATH={own}:{}", std::env::var("PATH").unwrap());
        let terminal = Terminal { server, folder };
        let columns = columns.to_string();
        let home = terminal.folder.path().to_str().unwrap();
        let started = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            "30",
            "-c",
            home,
            "env",
            "-u",
            "NO_COLOR",
            "-u",
            "CI",
            "-u",
            "RUST_BACKTRACE",
            &path,
            &format!("HOME={home}"),
            "PS1=> ",
            "sh",
            "-c",
            shell,
        ]);
        assert!(started.status.success(), "{started:?}");
        terminal
    }

    fn bash(columns: u16) -> Self {
        let terminal = Terminal::new("exec bash --norc --noprofile", columns);
        terminal.shows(">");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.server]).args(arguments).env_remove("TMUX").output().unwrap()
    }

    /// Types this text, and then presses keys by their names.
    fn types(&self, text: &str, keys: &[&str]) {
        self.tmux(&["send-keys", "-l", text]);
        keys.iter().for_each(|key| drop(self.tmux(&["send-keys", key])));
    }

    /// The text on the screen, with the codes for colours if asked for.
    fn screen(&self, colours: bool) -> String {
        let codes: &[&str] = if colours { &["-e"] } else { &[] };
        String::from_utf8(self.tmux(&[&["capture-pane", "-p"], codes].concat()).stdout).unwrap()
    }

    /// Waits until the screen holds this, and answers with it.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen(false);
            if screen.contains(text) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "the terminal never shows {text:?} but\n{screen}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command to its end and answers with what the screen shows of it.
    #[track_caller]
    fn runs(&self, command: &str, colours: bool) -> String {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        // Typed so that the command line itself does not look like its output.
        self.types(&format!("clear; {command}; echo status $? of run '{number}'."), &["Enter"]);
        self.shows(&format!(" of run {number}."));
        self.screen(colours)
    }

    /// Clears the screen, so that the next wait does not find what was there before.
    fn clears(&self) {
        self.types("clear", &["Enter"]);
        eventually("the screen is clear", || {
            let screen = self.screen(false);
            !screen.contains("pmapgcd") && !screen.contains("status") && !screen.contains("clear")
        });
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Lets a command go on that stands still by [`UNTIL_SEEN`].
    fn goes_on(&self) {
        self.write("seen", b"");
    }

    /// To be called before the next command that must stand still.
    fn stands_still(&self) {
        let _ = fs::remove_file(self.folder.path().join("seen"));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Shell code that stands still until the test has seen what it waits for, however long that takes.
const UNTIL_SEEN: &str = "until [ -e seen ]; do sleep 0.05; done";

/// A reader of results that lets the run stand still until then.
fn stalls() -> String {
    format!("({UNTIL_SEEN}; cat > results)")
}

#[test]
fn progress_is_a_line_that_goes_away_and_is_never_in_the_results() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    let (input, output) = input_and_output(Kind::Small.rows(3).take(2_000_000));
    terminal.write("small.csv", &input);
    terminal.types(&format!("clear; pmapgcd -j 2 --progress small.csv | {}; echo status $?.", stalls()), &["Enter"]);
    // Where the machine is busy, the first lines are drawn before there are two of them.
    let screen = terminal.shows(", 2 workers");
    terminal.goes_on();
    let line = screen.lines().find(|line| line.contains(" of 30.9 MB, ")).unwrap();
    for part in [" %  ", " rows, ", "rows/s", ", 2 workers"] {
        assert!(line.contains(part), "{part:?} in {screen}");
    }
    let screen = terminal.shows("status 0.");
    assert!(!screen.contains(" of "), "{screen}");
    assert!(terminal.read("results") == output);

    // The size of a pipe's input is not known, and so no time left.
    terminal.stands_still();
    let run = "cat small.csv | pmapgcd -j 2 --progress";
    terminal.types(&format!("clear; {run} | {}; echo status $?.", stalls()), &["Enter"]);
    let screen = terminal.shows(" rows, ");
    terminal.goes_on();
    assert!(!screen.contains(" % ") && !screen.contains(" left"), "{screen}");
    terminal.shows("status 0.");
    assert!(terminal.read("results") == output);
}

#[test]
fn time_left_is_shown_where_the_size_is_known() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    terminal.write("small.csv", &input_and_output(Kind::Small.rows(3).take(2_000_000)).0);
    // A reader of some results at a time: the run goes on, and slowly, for a minute or until we have seen it.
    let slowly = "while [ ! -e seen ] && read -r -N 30000 part; do sleep 0.4; done";
    terminal.types(&format!("clear; pmapgcd -j 2 --progress --block-size 4K small.csv | {slowly}"), &["Enter"]);
    let screen = terminal.shows(" left, 2 workers");
    terminal.goes_on();
    let left = screen.split(" rows/s, ").nth(1).and_then(|rest| rest.split(" left, ").next()).expect(&screen);
    let is_time = |left: &str| left.split(':').all(|number| number.parse::<u32>().is_ok());
    assert!(left.contains(':') && is_time(left), "{screen}");
}

#[test]
fn progress_gives_way_to_messages_and_fits_the_terminal() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(44);
    let (input, output) = input_and_output(Kind::Small.rows(3).take(2_000_000));
    terminal.write("bad.csv", &[&input[..], b"12,x\n"].concat());
    let run = format!("pmapgcd -j 2 --progress bad.csv > >{}; wait", stalls());
    terminal.types(&format!("clear; {run}; echo status $?."), &["Enter"]);
    let screen = terminal.shows(" of 30.9 MB");
    terminal.goes_on();
    let at = screen.lines().position(|line| line.contains(" of ")).unwrap();
    // The line must be cut, and not wrapped to the next.
    assert!(screen.lines().skip(at + 1).all(|line| line.trim().is_empty()), "{screen}");
    let screen = terminal.shows("status ");
    assert!(screen.lines().any(|line| line.starts_with("pmapgcd: bad.csv:2000001: field 2 is not an")), "{screen}");
    assert!(!screen.contains(" of 3"), "{screen}");
    eventually("all results are there", || terminal.read("results") == output);
}

#[test]
fn progress_is_not_shown_where_it_would_be_among_results_or_in_a_log() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    let slow = "(echo 12,18; sleep 1; echo 5,10)";
    let screen = terminal.runs(&format!("{slow} | pmapgcd --progress"), false);
    assert!(screen.contains("6\n5\nstatus 0 of run "), "{screen}");
    terminal.runs(&format!("{slow} | pmapgcd --progress > results 2> log"), false);
    assert_eq!((&*terminal.read("results"), &*terminal.read("log")), (&b"6\n5\n"[..], &b""[..]));
}

#[test]
fn progress_is_shown_where_results_go_to_a_file_and_not_where_they_go_to_the_terminal() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    let slow = format!("(echo 12,18; {UNTIL_SEEN}; echo x)");
    for executor in ["serial", "threads", "pickle", "shared"] {
        let run = format!("pmapgcd --executor {executor} --progress --bad-rows skip");
        for to in ["-o results", "-o /dev/fd/3 3> results"] {
            terminal.stands_still();
            terminal.clears();
            terminal.types(&format!("{slow} | {run} {to}; echo status $?."), &["Enter"]);
            terminal.shows(" rows/s");
            terminal.goes_on();
            let screen = terminal.shows("status 1.");
            assert!(!screen.contains("rows/s") && screen.contains("pmapgcd: 1 bad row\n"), "{screen}");
            assert_eq!(terminal.read("results"), b"6\n");
        }
        if executor != "shared" {
            continue;
        }
        for to in ["-o /dev/tty", "-o /dev/fd/3 3>&1 > /dev/null", "-o - ", "--rejects /dev/tty -o results"] {
            terminal.stands_still();
            terminal.clears();
            terminal.types(&format!("{slow} | {run} {to}; echo status $?."), &["Enter"]);
            // It would be there after a second.
            thread::sleep(Duration::from_millis(1500));
            let screen = terminal.screen(false);
            assert!(!screen.contains("rows/s"), "{screen}");
            terminal.goes_on();
            terminal.shows("status 1.");
        }
    }
}

#[test]
fn progress_is_for_the_foreground() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    let slow = format!("(echo 12,18; {UNTIL_SEEN}) | pmapgcd --progress > results");
    terminal.types(&format!("clear; {slow} &"), &["Enter"]);
    std::thread::sleep(Duration::from_millis(1000));
    let screen = terminal.screen(false);
    assert!(!screen.contains("rows/s"), "{screen}");
    terminal.types("fg", &["Enter"]);
    terminal.shows("rows/s");
    terminal.goes_on();
}

#[test]
fn a_person_at_a_terminal_is_told_what_is_waited_for() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    for executor in ["serial", "threads", "pickle", "shared"] {
        terminal.clears();
        terminal.types(&format!("pmapgcd --executor {executor}; echo status $?."), &["Enter"]);
        terminal.shows("pmapgcd: waiting for rows, one a line, from the terminal; Ctrl-D ends them");
        terminal.types("12,18", &["Enter"]);
        terminal.shows("12,18\n6\n");
        terminal.types("5,10", &["Enter"]);
        terminal.shows("5,10\n5\n");
        terminal.types("", &["C-d"]);
        terminal.shows("status 0.");

        terminal.clears();
        terminal.types(&format!("pmapgcd --executor {executor}; echo status $?."), &["Enter"]);
        terminal.shows("waiting for rows");
        terminal.types("12,18", &["Enter"]);
        terminal.shows("12,18\n6\n");
        terminal.types("", &["C-c"]);
        terminal.shows(">");
        // bash gives up the rest of the line after a program that dies of SIGINT, as it should.
        terminal.types("echo status $?.", &["Enter"]);
        terminal.shows("status 130.");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    if !has(&["tmux"]) {
        return;
    }
    let terminal = Terminal::bash(100);
    let has_colours = |command: &str| {
        let screen = terminal.runs(command, true);
        let line = screen.lines().find(|line| line.contains("nothing.csv: No such file")).expect(&screen);
        println!("{command}: {screen:?}");
        line.contains("\x1b[1m")
    };
    assert!(has_colours("pmapgcd nothing.csv"));
    assert!(!has_colours("NO_COLOR=1 pmapgcd nothing.csv"));
    assert!(!has_colours("TERM=dumb pmapgcd nothing.csv"));
    assert!(!has_colours("pmapgcd --color never nothing.csv"));
    assert!(!has_colours("pmapgcd nothing.csv 2>&1 | cat"));
    assert!(has_colours("pmapgcd --color always nothing.csv 2>&1 | cat"));
    assert!(has_colours("NO_COLOR=1 pmapgcd --color=always nothing.csv"));
}

/// What is typed before Tab, and what a shell must complete it to.
const COMPLETED: [(&str, &str); 12] = [
    ("pmapgcd --execu", "pmapgcd --executor"),
    ("pmapgcd --executor thr", "pmapgcd --executor threads"),
    ("pmapgcd --bad-rows bl", "pmapgcd --bad-rows blank"),
    ("pmapgcd screens-of-", "pmapgcd screens-of-2026.csv"),
    ("pmapgcd --stats screens-of-", "pmapgcd --stats screens-of-2026.csv"),
    ("pmapgcd --append screens-of-", "pmapgcd --append screens-of-2026.csv"),
    ("pmapgcd --progress=alw", "pmapgcd --progress=always"),
    ("pmapgcd --executor=thr", "pmapgcd --executor=threads"),
    ("pmapgcd --output=screens-of-", "pmapgcd --output=screens-of-2026.csv"),
    ("pmapgcd --kernel hyp", "pmapgcd --kernel hypot"),
    // Columns are those of the file, with more of them behind a comma.
    ("pmapgcd screens-of-2026.csv -k wi", "pmapgcd screens-of-2026.csv -k width"),
    ("pmapgcd screens-of-2026.csv --columns=width,he", "pmapgcd screens-of-2026.csv --columns=width,height"),
];

#[track_caller]
fn completes(shell: &str, start: &str, load: &str) {
    if !has(&["tmux", shell]) {
        return;
    }
    let terminal = Terminal::new(start, 100);
    terminal.write("screens-of-2026.csv", b"\"the name\",width,height\nphone,12,18\n");
    let script = run(&mut pmapgcd(["--completions", shell]), "");
    assert!(script.status.success() && script.stderr.is_empty(), "{script:?}");
    terminal.write("_pmapgcd", &script.stdout);
    terminal.types(load, &["Enter"]);
    terminal.types("echo rea''dy", &["Enter"]);
    terminal.shows("ready");
    for (typed, completed) in COMPLETED {
        terminal.types(typed, &["Tab"]);
        terminal.shows(completed);
        terminal.types("", &["C-u"]);
        terminal.clears();
    }
    // What is completed may need quotes. The file may stand behind the columns, except in fish, whose completions do not see what is
    // behind the cursor.
    match shell {
        "fish" => terminal.types("pmapgcd screens-of-2026.csv -k the", &[]),
        _ => {
            terminal.types("pmapgcd -k the screens-of-2026.csv", &[]);
            terminal.types("", &["Left"; " screens-of-2026.csv".len()]);
        }
    }
    terminal.types("", &["Tab"]);
    terminal.shows("-k the\\ name");
    terminal.types("", &["C-e", "C-u"]);
    terminal.clears();
    let expected = ["serial", "threads", "pickle", "shared"];
    terminal.types("pmapgcd --executor ", &["Tab", "Tab"]);
    eventually("all executors are listed", || {
        let screen = terminal.screen(false);
        expected.iter().all(|executor| screen.contains(executor))
    });
}

#[test]
fn bash_completes_options_values_and_files() {
    completes("bash", "exec bash --norc --noprofile", "source ./_pmapgcd");
}

#[test]
fn zsh_completes_options_values_and_files() {
    completes("zsh", "exec zsh -f", "fpath=(~ $fpath); autoload -Uz compinit; compinit -u");
}

#[test]
fn fish_completes_options_values_and_files() {
    completes("fish", "exec fish --no-config", "source ./_pmapgcd");
}

#[test]
fn the_manual_page_is_rendered_without_a_warning() {
    if !has(&["man"]) {
        return;
    }
    let page = run(&mut pmapgcd(["--man"]), "").stdout;
    let mut man = Command::new("man");
    let rendered = run(man.args(["--warnings", "-l", "-"]).env("MANWIDTH", "80"), page);
    let text = String::from_utf8(rendered.stdout).unwrap();
    assert_eq!((rendered.status.code(), &*rendered.stderr), (Some(0), ""), "{text}");
    for part in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "--block-timeout",
        "EXIT STATUS",
        "ENVIRONMENT",
        "EXAMPLES",
        "BUGS",
        "SEE ALSO",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // What FILE is, the description says, and it is no option.
    assert!(!text.lines().any(|line| line.trim() == "[FILE]"), "{text}");
    let (_, examples) = text.split_once("\nEXAMPLES\n").unwrap();
    let examples = examples.split("\nBUGS\n").next().unwrap();
    assert!(
        examples.lines().filter(|line| line.contains("pmapgcd ") && line.starts_with("           ")).count() >= 6,
        "{text}"
    );
}
