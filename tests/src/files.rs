//! Files on loopback over HTTP, and what was asked for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// What a path has.
#[derive(Debug, Clone)]
pub enum Served {
    /// A file of this machine.
    File(PathBuf),
    /// A text.
    Text(String),
    /// All below it is at this address instead.
    Elsewhere(String),
}

/// A server for as long as the test runs.
#[derive(Debug)]
pub struct Files {
    url: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    served: Mutex<BTreeMap<String, Served>>,
    asked: Mutex<Vec<String>>,
}

impl Files {
    /// Starts it on a port that is free.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // Whoever went away asks again.
                    let _ = serve(&stream, &state);
                });
            }
        });
        Ok(Self { url, state })
    }

    /// The address of a path, which begins with a slash.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Serves this at a path from now on.
    pub fn serve(&self, path: &str, what: Served) {
        let mut served = self
            .state
            .served
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        served.insert(path.to_owned(), what);
    }

    /// Paths that were asked for since this was asked last, in their order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self
            .state
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }
}

fn found(state: &State, path: &str) -> Option<Served> {
    let served = state.served.lock().unwrap_or_else(PoisonError::into_inner);
    served.iter().find_map(|(at, what)| match what {
        Served::Elsewhere(other) => {
            let rest = path.strip_prefix(at.as_str())?;
            Some(Served::Elsewhere(format!("{other}{rest}")))
        }
        what => (at == path).then(|| what.clone()),
    })
}

fn serve(stream: &TcpStream, state: &State) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).context("no request")?.to_owned();
    let answer = found(state, &path);
    state
        .asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path);
    let mut out = stream;
    let mut head = |status: &str, header: &str| {
        write!(
            out,
            "HTTP/1.1 {status}\r\nconnection: close\r\n{header}\r\n\r\n"
        )
    };
    match answer {
        None => head("404 Not Found", "content-length: 0")?,
        Some(Served::Elsewhere(url)) => {
            head(
                "302 Found",
                &format!("location: {url}\r\ncontent-length: 0"),
            )?;
        }
        Some(Served::Text(text)) => {
            head("200 OK", &format!("content-length: {}", text.len()))?;
            out.write_all(text.as_bytes())?;
        }
        Some(Served::File(path)) => {
            let mut file = fs_err::File::open(path)?;
            let length = file.metadata()?.len();
            head("200 OK", &format!("content-length: {length}"))?;
            std::io::copy(&mut file, &mut out)?;
        }
    }
    Ok(())
}
