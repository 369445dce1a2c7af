//! Prism, which holds requests and answers against GitHub's own description of its API. Both come from npm.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// Where Prism and the description are; see `xtask/src/tools.rs`.
const PROGRAM: &str = "prism/node_modules/@stoplight/prism-cli/dist/index.js";
const DESCRIPTION: &str = "prism/node_modules/@octokit/openapi/generated/api.github.com.json";

/// What of GitHub is described to Prism, which takes a minute to read all of it.
const PATHS: [&str; 3] = [
    "/repos/{owner}/{repo}/issues",
    "/repos/{owner}/{repo}/issues/{issue_number}",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
];

/// Prism at work; it ends when this is dropped.
#[derive(Debug)]
pub struct Prism {
    child: Child,
    port: u16,
}

/// The program and GitHub's description, if both are there; says so when not.
#[must_use]
pub fn prism_tools(test: &str) -> Option<(PathBuf, PathBuf)> {
    Some((crate::tool(test, PROGRAM)?, crate::tool(test, DESCRIPTION)?))
}

impl Prism {
    /// Answers by itself, from the description's examples.
    ///
    /// # Errors
    /// When it does not start.
    pub fn mock(tools: &(PathBuf, PathBuf), folder: &Path) -> Result<Self> {
        Self::start(tools, folder, "mock", &[])
    }

    /// Hands on what is right to `upstream`, and its answers if they are right.
    ///
    /// # Errors
    /// When it does not start.
    pub fn before(tools: &(PathBuf, PathBuf), folder: &Path, upstream: &str) -> Result<Self> {
        Self::start(tools, folder, "proxy", &[upstream])
    }

    fn start(
        (program, description): &(PathBuf, PathBuf),
        folder: &Path,
        mode: &str,
        upstream: &[&str],
    ) -> Result<Self> {
        let file = folder.join("github.json");
        // Of the whole, which is large, once.
        if !file.exists() {
            let whole: Value = serde_json::from_str(&fs_err::read_to_string(description)?)?;
            fs_err::write(&file, cut(&whole).to_string())?;
        }
        // Whoever takes the port in between makes it fail, not pass.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut child = Command::new("node")
            .arg(program)
            .args([mode, "--errors", "--host", "127.0.0.1", "--port"])
            .arg(port.to_string())
            .arg(&file)
            .args(upstream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("failed to start node")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let listening = lines
            .by_ref()
            .map_while(std::io::Result::ok)
            .any(|line| line.contains("Prism is listening"));
        let prism = Self { child, port };
        if !listening {
            bail!("Prism ended before it listened");
        }
        // What nobody reads would stop it.
        std::thread::spawn(move || lines.map_while(std::io::Result::ok).for_each(drop));
        Ok(prism)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request as it stands; the answer's status and text.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn send(&self, method: &str, target: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = match body.is_empty() {
            true => String::new(),
            false => format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            ),
        };
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{kind}\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok((status.context("no status")?, answer))
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The paths that matter, and all they refer to.
fn cut(whole: &Value) -> Value {
    let paths: Map<String, Value> = PATHS
        .iter()
        .map(|path| ((*path).to_owned(), whole["paths"][path].clone()))
        .collect();
    let mut kept = json!({});
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut left = Vec::new();
    paths.values().for_each(|path| references(path, &mut left));
    while let Some(name) = left.pop() {
        let Some((kind, component)) = name.split_once('/') else {
            continue;
        };
        if seen.insert(name.clone()) {
            let found = &whole["components"][kind][component];
            references(found, &mut left);
            kept[kind][component] = mended(found);
        }
    }
    let paths: Map<String, Value> = paths
        .iter()
        .map(|(name, path)| (name.clone(), mended(path)))
        .collect();
    json!({ "openapi": whole["openapi"], "info": whole["info"], "servers": whole["servers"], "paths": paths, "components": kept })
}

/// Names of components, such as `schemas/issue`, that something refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str);
            found
                .extend(name.and_then(|name| Some(name.strip_prefix("#/components/")?.to_owned())));
            object.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

/// The same, in words that Prism's checker takes: it knows `nullable` only beside `type`, and where it stands elsewhere
/// Prism checks nothing at all, without a word.
fn mended(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut object: Map<String, Value> = object
                .iter()
                .map(|(name, inner)| (name.clone(), mended(inner)))
                .collect();
            let alone =
                object.get("nullable") == Some(&Value::Bool(true)) && !object.contains_key("type");
            if !alone {
                return object.into();
            }
            object.remove("nullable");
            json!({ "anyOf": [object, { "enum": [null] }] })
        }
        Value::Array(items) => items.iter().map(mended).collect(),
        other => other.clone(),
    }
}
