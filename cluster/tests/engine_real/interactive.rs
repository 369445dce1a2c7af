//! Commands joined to a terminal or to pipes. The side that has them is this test binary,
//! run once more: see [`interactive_child`].

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use kcluster_cluster::engine::{Endpoint, ExecSpec, connect};

use crate::support::{Corner, needs, shared};

pub(crate) const ENDPOINT: &str = "KCLUSTER_TEST_ENDPOINT";
pub(crate) const NODE: &str = "KCLUSTER_TEST_NODE";
pub(crate) const SCRIPT: &str = "KCLUSTER_TEST_SCRIPT";

/// No test of its own: runs a command in a node, as the program does.
#[tokio::test]
#[ignore = "run by the other tests here"]
async fn interactive_child() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else {
        return;
    };
    let endpoint: Endpoint = endpoint.parse().unwrap();
    let engine = connect(&endpoint).await.unwrap();
    let spec = ExecSpec {
        tty: true,
        ..ExecSpec::new(["sh", "-c", &std::env::var(SCRIPT).unwrap()])
    };
    let code = engine
        .exec_interactive(&std::env::var(NODE).unwrap(), spec)
        .await
        .unwrap();
    std::process::exit(i32::try_from(code).unwrap());
}

/// The command line of that other run.
pub(crate) fn myself() -> String {
    let program = std::env::current_exe().unwrap();
    format!(
        "{} interactive::interactive_child --exact --ignored --nocapture --quiet",
        program.display()
    )
}

/// Runs a shell command with input; the input stays open until its end if `held`.
fn run(command: &mut Command, input: &str, held: bool) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    if !held {
        drop(stdin);
        return child.wait_with_output().unwrap();
    }
    let mut stdout = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut stdout)
        .unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stdout = stdout;
    drop(stdin);
    output
}

async fn with_node(test: impl FnOnce(&mut Command) + Send + 'static, script: &str) {
    let dockerd = shared();
    let Some(corner) = Corner::of(dockerd.connect().await).await else {
        return;
    };
    let node = corner.started(0).await;
    let mut command = Command::new("sh");
    command
        .env(ENDPOINT, format!("unix://{}", dockerd.socket().display()))
        .env(NODE, &node)
        .env(SCRIPT, script);
    tokio::task::spawn_blocking(move || test(&mut command))
        .await
        .unwrap();
    corner.clear().await;
}

#[tokio::test]
async fn pipes_are_passed_through_whole() {
    needs!("dockerd");
    let test = |command: &mut Command| {
        let text = "a line of text\n".repeat(20_000);
        let output = run(command.args(["-c", &myself()]), &text, false);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(
            stdout.ends_with(&text),
            "{} of {} bytes",
            stdout.len(),
            text.len()
        );
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("no terminal here"), "{stderr}");
        assert_eq!(output.status.code(), Some(9));
    };
    with_node(test, "test -t 0 || echo no terminal here >&2; cat; exit 9").await;
}

#[tokio::test]
async fn a_command_may_end_before_its_input() {
    needs!("dockerd");
    let test = |command: &mut Command| {
        let output = run(command.args(["-c", &myself()]), "one\ntwo\n", true);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.ends_with("one\n"), "{stdout}");
        assert_eq!(output.status.code(), Some(3));
    };
    with_node(test, "head -n 1; exit 3").await;
}

/// Types `keys` each when its cue has been printed; returns all that was printed.
fn dialogue(command: &mut Command, cues: &[(&str, &str)]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut printed, mut buffer) = (String::new(), [0; 4096]);
    let mut cues = cues.iter().peekable();
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        printed.push_str(&String::from_utf8_lossy(&buffer[..count]));
        while let Some((_, keys)) = cues.next_if(|(cue, _)| printed.contains(cue)) {
            stdin.write_all(keys.as_bytes()).unwrap();
        }
    }
    child.wait().unwrap();
    printed
}

const RESTORED: [&str; 3] = [" icanon", " echo ", "\nisig"];

fn in_a_terminal(command: &mut Command) -> &mut Command {
    let inside = format!("stty rows 40 cols 100; {}; echo code $?; stty -a", myself());
    command.args(["-c", &format!("exec script -qec '{inside}' /dev/null")])
}

#[tokio::test]
async fn a_terminal_is_lent_and_given_back() {
    needs!("dockerd", "script");
    let test = |command: &mut Command| {
        // The terminal's size arrives a moment after the command begins.
        // Raw: the command's own terminal makes the interrupt of Ctrl-C.
        let cues = [("ready", "typed\r"), ("read typed", "\x03")];
        let printed = dialogue(in_a_terminal(command), &cues);
        for expected in ["40 100", "interrupted", "code 5"] {
            assert!(printed.contains(expected), "no `{expected}` in {printed}");
        }
        let after = printed.split_once("code 5").unwrap().1;
        for word in RESTORED {
            assert!(after.contains(word), "no `{word}` in {after}");
        }
    };
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; read line; until stty size | grep '40 100'; do sleep 0.05; done; echo read $line; while :; do sleep 0.05; done";
    with_node(test, script).await;
}

#[tokio::test]
async fn a_terminal_is_given_back_when_told_to_stop() {
    needs!("dockerd", "script");
    let test = |command: &mut Command| {
        let printed = dialogue(in_a_terminal(command), &[("pid?", "\r")]);
        let after = printed.split_once("code 143").expect(&printed).1;
        for word in RESTORED {
            assert!(after.contains(word), "no `{word}` in {after}");
        }
    };
    // The command cannot reach the process on this side, so a helper ends it at its cue.
    let stopper = std::thread::spawn(stop_the_child);
    with_node(test, "echo pid?; sleep 1000").await;
    stopper.join().unwrap();
}

/// Sends SIGTERM to the binary's other run, once it has put its terminal into raw mode.
fn stop_the_child() {
    let mine = std::process::id();
    for _ in 0..600 {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        for process in processes {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let env = std::fs::read(process.path().join("environ")).unwrap_or_default();
            let pid = process.file_name().to_string_lossy().parse::<i32>();
            let (Ok(pid), Some(program)) = (pid, line.split(|byte| *byte == 0).next()) else {
                continue;
            };
            let is_child = !program.ends_with(b"sh")
                && String::from_utf8_lossy(&line).contains("interactive::interactive_child\0")
                && String::from_utf8_lossy(&env).contains("echo pid?");
            if is_child && pid.unsigned_abs() != mine && is_raw(pid) {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
                return;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn is_raw(pid: i32) -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    std::fs::File::open(format!("/proc/{pid}/fd/0"))
        .ok()
        .and_then(|terminal| tcgetattr(terminal).ok())
        .is_some_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
}
