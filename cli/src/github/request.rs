//! What is sent, as values: a dry run prints the very same.

use kcluster_reports::issues::{Action, LABEL};
use serde_json::{Value, json};

/// Issues of a page; GitHub gives no more.
pub(super) const PAGE: usize = 100;

/// Whose issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) owner: String,
    pub(super) name: String,
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Makes something each time it is sent.
    Post,
    /// Sent twice, it changes what is there only once.
    Patch,
}

impl Repository {
    /// `OWNER/NAME`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = |part: &str| {
            let safe = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            !part.is_empty() && part != "." && part != ".." && part.chars().all(safe)
        };
        let (owner, name) = text.split_once('/')?;
        (plain(owner) && plain(name)).then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Where its issues are.
    pub(super) fn issues(&self) -> String {
        format!("/repos/{}/{}/issues", self.owner, self.name)
    }

    pub(super) fn comments(&self, number: u64) -> String {
        format!("{}/{number}/comments", self.issues())
    }

    /// What an action means, in order: what can be sent again comes first, so that a kill in between leaves
    /// nothing to be said twice.
    pub(super) fn requests(&self, action: &Action) -> Vec<Request> {
        let patch = |number: u64, body: Value| Request {
            method: Method::Patch,
            path: format!("{}/{number}", self.issues()),
            body,
        };
        let comment = |number: u64, text: &str| Request {
            method: Method::Post,
            path: self.comments(number),
            body: json!({ "body": text }),
        };
        match action {
            Action::Open { title, body, .. } => vec![Request {
                method: Method::Post,
                path: self.issues(),
                body: json!({ "title": title, "body": body, "labels": [LABEL] }),
            }],
            Action::Update { number, body } => vec![patch(*number, json!({ "body": body }))],
            Action::Reopen {
                number,
                body,
                comment: text,
            } => {
                let open = json!({ "body": body, "state": "open", "state_reason": "reopened" });
                vec![patch(*number, open), comment(*number, text)]
            }
            Action::Close {
                number,
                comment: text,
            } => {
                let closed = json!({ "state": "closed", "state_reason": "completed" });
                vec![patch(*number, closed), comment(*number, text)]
            }
        }
    }
}

impl Request {
    /// As a person reads it.
    pub(super) fn shown(&self) -> String {
        let method = match self.method {
            Method::Post => "POST",
            Method::Patch => "PATCH",
        };
        format!("{method} {}\n{:#}", self.path, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_are_paths_of_nothing_else() {
        assert_eq!(
            Repository::parse("a-b/c.d").unwrap().issues(),
            "/repos/a-b/c.d/issues"
        );
        for wrong in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a/..",
            "a/b?c",
            "a b/c",
            "https://x/a/b",
        ] {
            assert!(Repository::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_issue_is_closed_before_it_is_said_why() {
        let repository = Repository::parse("a/b").unwrap();
        let close = Action::Close {
            number: 7,
            comment: "green".into(),
        };
        let requests = repository.requests(&close);
        let shown: Vec<String> = requests.iter().map(Request::shown).collect();
        assert!(
            shown[0].starts_with("PATCH /repos/a/b/issues/7\n{"),
            "{shown:?}"
        );
        assert!(
            shown[1].starts_with("POST /repos/a/b/issues/7/comments\n{"),
            "{shown:?}"
        );
    }
}
