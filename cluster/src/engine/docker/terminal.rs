//! This process's terminal, lent to a command in a node and given back as it was.

use std::fs::File;
use std::io::{IsTerminal, PipeWriter, Read};
use std::os::fd::AsFd;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

/// Whether standard input is a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Rows and columns of the terminal.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_row, size.ws_col)).filter(|(rows, columns)| *rows > 0 && *columns > 0)
}

/// The terminal in raw mode until dropped: every key goes to the command.
pub(super) struct RawMode {
    before: Termios,
}

impl RawMode {
    pub(super) fn enter() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Standard input, piece by piece, until its end or until dropped.
///
/// A thread of its own reads it: the runtime's would outlive the command, blocked on a
/// key that nobody presses. This one ends when the pipe that it also watches closes.
pub(super) struct Stdin {
    pub(super) pieces: mpsc::Receiver<Bytes>,
    _open: PipeWriter,
}

impl Stdin {
    pub(super) fn open() -> std::io::Result<Self> {
        let (stop, open) = std::io::pipe()?;
        let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let (to, pieces) = mpsc::channel(16);
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(move || pump(input, stop.as_fd(), &to))?;
        Ok(Self {
            pieces,
            _open: open,
        })
    }
}

fn pump(mut input: File, stop: std::os::fd::BorrowedFd<'_>, to: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut watched = [
            PollFd::new(&input, PollFlags::IN),
            PollFd::from_borrowed_fd(stop, PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        if !watched[1].revents().is_empty() {
            return;
        }
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let piece = Bytes::copy_from_slice(&buffer[..count]);
                if to.blocking_send(piece).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
