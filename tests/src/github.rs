//! GitHub's issues on loopback: they are kept, each request is remembered, and what goes wrong is said beforehand.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A server for as long as the test runs.
#[derive(Debug)]
pub struct GitHub {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    url: String,
    issues: Vec<Value>,
    comments: BTreeMap<u64, Vec<Value>>,
    asked: Vec<Asked>,
    faults: VecDeque<Fault>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST` and the like.
    pub method: String,
    /// Without what follows the question mark.
    pub path: String,
    /// What follows it.
    pub query: String,
    /// The header `authorization`.
    pub authorization: String,
    /// JSON, or nothing.
    pub body: Value,
}

/// What goes wrong with the next request that changes something, or with the next of all.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This is the answer, and nothing is done.
    Answer {
        /// Its status.
        status: u16,
        /// Headers, each with its value.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// All is done, and the answer says 502.
    DoneBut502,
    /// All is done, and half of the answer comes.
    DoneButCutOff,
    /// Half of an answer, and nothing is done.
    CutOff,
}

impl Fault {
    /// An answer with a status and a message.
    #[must_use]
    pub fn answer(status: u16, message: &str) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: json!({ "message": message, "documentation_url": "https://docs.github.com" })
                .to_string(),
        }
    }

    /// The same with another body.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            text.clone_into(body);
        }
        self
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

impl GitHub {
    /// Starts it on a port that is free.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // Whoever went away asks again.
                    let _ = serve(stream, &state);
                });
            }
        });
        Ok(Self { url, state })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Says what happens to the next requests, one after the other.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// The issues there are.
    #[must_use]
    pub fn issues(&self) -> Vec<Value> {
        lock(&self.state).issues.clone()
    }

    /// What was said about an issue.
    #[must_use]
    pub fn comments(&self, number: u64) -> Vec<String> {
        let state = lock(&self.state);
        let comments = state.comments.get(&number).into_iter().flatten();
        let text = comments.filter_map(|comment| Some(comment["body"].as_str()?.to_owned()));
        text.collect()
    }

    /// All requests since the last time, and forgets them.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.state).asked)
    }

    /// Puts an issue there that a person wrote.
    pub fn write(&self, body: &str, labels: &[&str]) {
        let body = json!({ "title": "a title", "body": body, "labels": labels });
        lock(&self.state).create(&body);
    }

    /// Makes it as if all issues had been opened this many days ago.
    pub fn age(&self, days: u32) {
        let mut state = lock(&self.state);
        for issue in &mut state.issues {
            // Any day that is not today will do.
            issue["created_at"] = json!(format!("2020-01-{:02}T00:00:00Z", 28 - days % 28));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, as GitHub writes it.
fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

impl State {
    /// As GitHub answers when an issue is made.
    fn create(&mut self, body: &Value) -> Value {
        let number = self.issues.len() + 1;
        let url = format!("{}/repos/kcluster/kcluster/issues/{number}", self.url);
        let labels: Vec<Value> = body["labels"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| json!({ "id": 1, "node_id": "L", "url": url, "name": name, "description": null, "color": "ededed", "default": false }))
            .collect();
        let issue = json!({
            "id": number, "node_id": "I", "number": number, "url": url, "repository_url": self.url,
            "labels_url": url, "comments_url": url, "events_url": url,
            "html_url": format!("https://github.com/kcluster/kcluster/issues/{number}"),
            "state": "open", "state_reason": null, "title": body["title"], "body": body["body"],
            "user": null, "labels": labels, "assignee": null, "assignees": [], "milestone": null,
            "locked": false, "comments": 0, "closed_at": null, "created_at": now(), "updated_at": now(),
            "author_association": "NONE",
        });
        self.issues.push(issue.clone());
        issue
    }

    fn comment(&mut self, number: u64, body: &Value) -> Value {
        let url = format!("{}/repos/kcluster/kcluster/issues/comments/1", self.url);
        let comment = json!({
            "id": 1, "node_id": "C", "url": url, "html_url": url, "issue_url": url, "user": null,
            "body": body["body"], "created_at": now(), "updated_at": now(), "author_association": "NONE",
        });
        self.comments
            .entry(number)
            .or_default()
            .push(comment.clone());
        comment
    }

    fn update(&mut self, number: usize, body: &Value) -> Option<Value> {
        let issue = self.issues.get_mut(number.checked_sub(1)?)?;
        for (name, value) in body.as_object()? {
            issue[name] = value.clone();
        }
        issue["closed_at"] = match issue["state"] == "closed" {
            true => json!(now()),
            false => Value::Null,
        };
        Some(issue.clone())
    }

    /// The issues of a page, those with the label that is asked for.
    fn list(&self, query: &str) -> Value {
        let parameter = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let number = |name: &str, otherwise: usize| {
            parameter(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(otherwise)
        };
        let (page, size) = (number("page", 1), number("per_page", 30));
        let labelled = |issue: &&Value| match parameter("labels") {
            Some(label) => issue["labels"]
                .to_string()
                .contains(&format!("\"{label}\"")),
            None => true,
        };
        let wanted = |issue: &&Value| match parameter("state") {
            Some("all") => true,
            state => issue["state"] == state.unwrap_or("open"),
        };
        // The newest first, as GitHub does.
        let listed = self.issues.iter().rev().filter(labelled).filter(wanted);
        listed.skip((page - 1) * size).take(size).cloned().collect()
    }

    /// Status and body of the answer.
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
        let missing = (
            404,
            json!({ "message": "Not Found", "documentation_url": "https://docs.github.com", "status": "404" }),
        );
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["repos", _, _, "issues"]) => (200, self.list(&asked.query)),
            ("POST", ["repos", _, _, "issues"]) => (201, self.create(&asked.body)),
            ("PATCH", ["repos", _, _, "issues", number]) => {
                let number = number.parse().unwrap_or_default();
                self.update(number, &asked.body)
                    .map_or(missing, |issue| (200, issue))
            }
            ("GET", ["repos", _, _, "issues", number, "comments"]) => {
                let number = number.parse().unwrap_or_default();
                (
                    200,
                    self.comments
                        .get(&number)
                        .cloned()
                        .unwrap_or_default()
                        .into(),
                )
            }
            ("POST", ["repos", _, _, "issues", number, "comments"]) => {
                let number = number.parse().unwrap_or_default();
                (201, self.comment(number, &asked.body))
            }
            _ => missing,
        }
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (
        words.next().context("no method")?,
        words.next().context("no path")?,
    );
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let asked = Asked {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        authorization,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut state = lock(state);
    state.asked.push(asked.clone());
    let fault = state.faults.pop_front();
    let (status, headers, text) = match &fault {
        Some(Fault::Answer {
            status,
            headers,
            body,
        }) => (*status, headers.clone(), body.clone()),
        Some(Fault::CutOff) => (200, Vec::new(), "[]".to_owned()),
        Some(Fault::DoneBut502) => {
            let _ = state.answer(&asked);
            (502, Vec::new(), "<html>Unicorn!</html>".to_owned())
        }
        Some(Fault::DoneButCutOff) | None => {
            let (status, body) = state.answer(&asked);
            (status, Vec::new(), body.to_string())
        }
    };
    drop(state);
    let cut = matches!(fault, Some(Fault::CutOff | Fault::DoneButCutOff));
    let promised = if cut { text.len() * 2 + 10 } else { text.len() };
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {promised}\r\nconnection: close\r\n{headers}\r\n{text}"
    )?;
    stream.flush()?;
    Ok(())
}
