//! Other programs: run, watched, and reported with their last lines when they fail.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::error::{CommandFailed, Error, Result};

/// Lines of output that an error shows.
const TAIL: usize = 30;

/// A program that this crate needs from the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) purpose: &'static str,
    pub(crate) package: &'static str,
}

/// One run of a program.
pub(crate) struct Run {
    program: OsString,
    tool: Option<Tool>,
    args: Vec<OsString>,
    dir: PathBuf,
    environment: Vec<(&'static str, Option<OsString>)>,
}

impl Run {
    pub(crate) fn new(program: impl Into<OsString>, dir: &Path) -> Self {
        Self {
            program: program.into(),
            tool: None,
            args: Vec::new(),
            dir: dir.to_owned(),
            environment: Vec::new(),
        }
    }

    /// Says which package brings the program, for the error when it is missing.
    pub(crate) fn brought_by(mut self, tool: Tool) -> Self {
        self.tool = Some(tool);
        self
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, Some(value.into())));
        self
    }

    pub(crate) fn without_env(mut self, name: &'static str) -> Self {
        self.environment.push((name, None));
        self
    }

    /// Runs it to its end and gives back what it wrote on stdout.
    ///
    /// When the future is dropped the program and all its children are killed.
    pub(crate) async fn output(self) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        tracing::debug!(command = %self.line(), dir = %self.dir.display(), "run");
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let mut group = Group::of(&child);

        let mut stdout = Vec::new();
        let mut tail = VecDeque::new();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (read_out, read_err, status) = tokio::join!(
            read_lines(out, |line| stdout.push(line)),
            read_lines(err, |line| {
                tracing::trace!(line);
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line);
            }),
            child.wait(),
        );
        group.ended();
        read_out?;
        read_err?;
        let status = status?;
        if status.success() {
            return Ok(stdout.join("\n"));
        }
        let mut tail: Vec<String> = tail.into();
        if tail.is_empty() {
            tail = stdout.split_off(stdout.len().saturating_sub(TAIL));
        }
        Err(Box::new(CommandFailed {
            command: self.line(),
            dir: self.dir,
            status,
            tail,
        })
        .into())
    }

    fn not_started(&self, error: &std::io::Error) -> Error {
        match self.tool {
            Some(tool) if error.kind() == std::io::ErrorKind::NotFound && self.dir.is_dir() => {
                Error::ToolMissing {
                    program: self.program.to_string_lossy().into_owned(),
                    purpose: tool.purpose,
                    package: tool.package,
                }
            }
            _ => std::io::Error::new(
                error.kind(),
                format!("failed to start `{}`: {error}", self.line()),
            )
            .into(),
        }
    }

    /// The command line as one could type it.
    fn line(&self) -> String {
        std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| {
                let word = word.to_string_lossy();
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
                if !word.is_empty() && word.chars().all(plain) {
                    word.into_owned()
                } else {
                    format!("'{}'", word.replace('\'', r"'\''"))
                }
            })
            .collect::<Vec<_>>()
            .join(" ")
    }
}

async fn read_lines(
    stream: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(String),
) -> std::io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        take(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(())
}

/// A program and its children, which go away together with this value.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Already gone is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_shows_command_folder_and_last_lines() {
        let error = Run::new("sh", Path::new("/tmp"))
            .args([
                "-c",
                "for i in $(seq 40); do echo line $i >&2; done; exit 3",
            ])
            .output()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("in /tmp ended with exit status: 3"),
            "{error}"
        );
        assert!(
            error.contains("line 40") && error.contains("line 11\n"),
            "{error}"
        );
        assert!(!error.contains("line 10\n"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_program_names_its_package() {
        let tool = Tool {
            purpose: "test",
            package: "some-package",
        };
        let error = Run::new("no-such-program-here", Path::new("/"))
            .brought_by(tool)
            .output()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::ToolMissing { .. }));
        assert!(
            error.to_string().contains("package `some-package`"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_dropped_run_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::new("sh", folder.path())
            .args(["-c", "sleep 60 & echo $! > pid.new; mv pid.new pid; wait"])
            .output();
        let pid_file = folder.path().join("pid");
        let seen = async {
            while !pid_file.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = run => panic!("ended"),
            () = seen => {}
        }
        let pid: i32 = fs_err::read_to_string(&pid_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let stat = PathBuf::from(format!("/proc/{pid}/stat"));
        let gone = async {
            // A killed orphan stays a zombie until whatever adopts it looks.
            while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), gone)
            .await
            .unwrap();
    }
}
