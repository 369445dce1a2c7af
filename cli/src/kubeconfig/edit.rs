//! A kubeconfig with a cluster of ours in it, and without it again. The text around is kept byte for byte.
//!
//! Each change is made in the text, at places that a parser tells; then another parser reads what came out, and
//! if that is anything but the old content with the change, the file is left alone.

use yaml_serde::{Mapping, Value};

use super::document::{Kind, Node, parse};

/// The lists whose entries make up a cluster, and the field of each that tells more than its name.
pub(super) const LISTS: [(&str, &str); 3] = [
    ("clusters", "cluster"),
    ("users", "user"),
    ("contexts", "context"),
];

const CURRENT: &str = "current-context";

/// The file with `ours`, a kubeconfig with one cluster, in it.
///
/// # Errors
/// Why the text cannot be changed.
pub(super) fn with(text: &str, ours: &Value, name: &str) -> Result<String, String> {
    let mut expected = value(text)?;
    let mut out = text.to_owned();
    if parse(text)?.is_none() {
        out = format!("{}apiVersion: v1\nkind: Config\n", ended(text));
        expected = value(&out)?;
    }
    let new = entry(&expected, "contexts", name).is_none();
    for (list, field) in LISTS {
        let item = entry(ours, list, name).ok_or_else(|| format!("ours has no `{list}`"))?;
        let there = entry(&expected, list, name);
        // A context that leads to our cluster may have a namespace of the user's.
        let kept = |there: &Value| match list {
            "contexts" => ["cluster", "user"]
                .into_iter()
                .all(|part| there[field][part] == item[field][part]),
            _ => there == item,
        };
        if there.is_some_and(kept) {
            continue;
        }
        out = put(&out, list, name, item)?;
        set_entry(&mut expected, list, name, Some(item.clone()))?;
    }
    if new {
        out = set_current(&out, name)?;
        mapping(&mut expected)?.insert(CURRENT.into(), name.into());
    }
    same(out, &expected)
}

/// How `current-context` is written: none where it is not there.
pub(super) fn current(text: &str) -> Result<Option<String>, String> {
    let root = parse(text)?;
    let pair = root.as_ref().and_then(|root| root.get(CURRENT));
    Ok(pair.map(|(_, value)| text[value.start..value.end].to_owned()))
}

/// The file without the cluster `name`. Where that was the current context, `previous` is it again if it is still
/// there.
///
/// # Errors
/// Why the text cannot be changed.
pub(super) fn without(text: &str, name: &str, previous: Option<&str>) -> Result<String, String> {
    let mut expected = value(text)?;
    let mut out = text.to_owned();
    for (list, _) in LISTS {
        while entry(&expected, list, name).is_some() {
            out = take(&out, list, name)?;
            set_entry(&mut expected, list, name, None)?;
        }
    }
    if expected.get(CURRENT).and_then(Value::as_str) == Some(name) {
        let (now, before) = restored(&out, &expected, previous)?;
        out = now;
        let root = mapping(&mut expected)?;
        match before {
            Some(before) => root.insert(CURRENT.into(), before),
            None => root.remove(CURRENT),
        };
    }
    same(out, &expected)
}

/// The entry `name` of a list.
pub(super) fn entry<'v>(root: &'v Value, list: &str, name: &str) -> Option<&'v Value> {
    let items = root.get(list)?.as_sequence()?;
    items
        .iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(name))
}

/// The content of a file, as a reader of its own sees it.
pub(super) fn value(text: &str) -> Result<Value, String> {
    yaml_serde::from_str(text).map_err(|error| error.to_string())
}

fn same(text: String, expected: &Value) -> Result<String, String> {
    if value(&text).as_ref() == Ok(expected) {
        return Ok(text);
    }
    Err("it is written in a way that kcluster cannot change without touching more of it".to_owned())
}

fn mapping(root: &mut Value) -> Result<&mut Mapping, String> {
    root.as_mapping_mut()
        .ok_or_else(|| "it is no table".to_owned())
}

fn set_entry(root: &mut Value, list: &str, name: &str, item: Option<Value>) -> Result<(), String> {
    let value = mapping(root)?
        .entry(list.into())
        .or_insert_with(|| Value::Sequence(Vec::new()));
    if value.is_null() {
        *value = Value::Sequence(Vec::new());
    }
    let items = value
        .as_sequence_mut()
        .ok_or_else(|| format!("`{list}` is no list"))?;
    let at = items
        .iter()
        .position(|item| item.get("name").and_then(Value::as_str) == Some(name));
    match (at, item) {
        (Some(at), Some(item)) => items[at] = item,
        (Some(at), None) => drop(items.remove(at)),
        (None, Some(item)) => items.push(item),
        (None, None) => {}
    }
    Ok(())
}

/// The text with a line end behind it.
fn ended(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

/// The end of the line that `at` stands on, behind its line end.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn spliced(text: &str, from: usize, to: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..from], &text[to..])
}

/// Whole lines put in at `at`, which is a line's start or the end of the text; their ends are the file's own.
fn lines_in(text: &str, at: usize, lines: &str) -> String {
    let lines = match text.contains("\r\n") {
        true => lines.replace('\n', "\r\n"),
        false => lines.to_owned(),
    };
    let before = ended(&text[..at]);
    format!("{before}{lines}{}", &text[at..])
}

fn root(text: &str) -> Result<Node, String> {
    let root = parse(text)?.ok_or("it is empty")?;
    match root.kind {
        Kind::Mapping(_) => Ok(root),
        _ => Err("it is no table".to_owned()),
    }
}

fn json(item: &Value) -> Result<String, String> {
    serde_json::to_string(item).map_err(|error| error.to_string())
}

/// `item` as an entry of a list whose dashes stand behind `indent` blanks.
fn block(item: &Value, indent: usize) -> Result<String, String> {
    let text = yaml_serde::to_string(item).map_err(|error| error.to_string())?;
    let blanks = " ".repeat(indent);
    let lines = text.lines().zip(0..);
    Ok(lines
        .map(|(line, number)| {
            let dash = if number == 0 { "- " } else { "  " };
            format!("{blanks}{dash}{line}\n")
        })
        .collect())
}

fn name_of(item: &Node, name: &str) -> bool {
    item.get("name").is_some_and(|(_, value)| value.is(name))
}

/// The dash before an entry of a list in lines.
fn dash(text: &str, item: &Node) -> Result<usize, String> {
    let before = text[..item.start].trim_end();
    match before.ends_with('-') {
        true => Ok(before.len() - 1),
        false => Err("a list in it is written in an unusual way".to_owned()),
    }
}

/// Adds an entry to a list, or puts it in the place of the one that has its name.
fn put(text: &str, list: &str, name: &str, item: &Value) -> Result<String, String> {
    let root = root(text)?;
    let Some((key, value)) = root.get(list) else {
        if root.is_flow(text) {
            return member(text, &root, list, &format!("[{}]", json(item)?));
        }
        let lines = format!("{list}:\n{}", block(item, 0)?);
        return Ok(lines_in(text, line_end(text, root.end), &lines));
    };
    let empty = match &value.kind {
        Kind::Sequence(items) => items.is_empty(),
        Kind::Empty => true,
        Kind::Scalar(word) => ["null", "~"].contains(&word.as_str()),
        _ => return Err(format!("`{list}` is no list")),
    };
    if empty {
        if root.is_flow(text) {
            let new = format!("[{}]", json(item)?);
            return Ok(spliced(text, value.start, value.end, &new));
        }
        // A comment behind the empty list stays where it is.
        let from = text[..value.start].trim_end_matches(' ').len();
        let out = spliced(text, from, value.end, "");
        return Ok(lines_in(&out, line_end(&out, key.end), &block(item, 0)?));
    }
    let Kind::Sequence(items) = &value.kind else {
        return Err(format!("`{list}` is no list"));
    };
    let (old, last) = (items.iter().find(|item| name_of(item, name)), items.last());
    let last = last.ok_or("a list without entries")?;
    if value.is_flow(text) {
        return Ok(match old {
            Some(old) => spliced(text, old.start, old.end, &json(item)?),
            None => spliced(text, last.end, last.end, &format!(", {}", json(item)?)),
        });
    }
    let first = dash(text, old.unwrap_or(last))?;
    let indent = first - line_start(text, first);
    let lines = block(item, indent)?;
    match old {
        Some(old) => {
            let (from, to) = (line_start(text, first), line_end(text, old.end));
            Ok(lines_in(&spliced(text, from, to, ""), from, &lines))
        }
        None => Ok(lines_in(text, line_end(text, last.end), &lines)),
    }
}

/// Takes an entry out of a list.
fn take(text: &str, list: &str, name: &str) -> Result<String, String> {
    let root = root(text)?;
    let pair = root.get(list).ok_or_else(|| format!("no `{list}`"))?;
    let (key, value) = pair;
    let Kind::Sequence(items) = &value.kind else {
        return Err(format!("`{list}` is no list"));
    };
    let at = items.iter().position(|item| name_of(item, name));
    let at = at.ok_or_else(|| format!("an entry of `{list}` cannot be found"))?;
    let item = &items[at];
    if value.is_flow(text) {
        let (from, to) = match (at.checked_sub(1), items.get(at + 1)) {
            (Some(before), _) => (items[before].end, item.end),
            (None, Some(after)) => (item.start, after.start),
            (None, None) => (item.start, item.end),
        };
        return Ok(spliced(text, from, to, ""));
    }
    let (from, to) = (
        line_start(text, dash(text, item)?),
        line_end(text, item.end),
    );
    let out = spliced(text, from, to, "");
    if items.len() > 1 {
        return Ok(out);
    }
    let colon = text[key.end..].find(':').ok_or("a key without a colon")?;
    let at = key.end + colon + 1;
    Ok(spliced(&out, at, at, " []"))
}

/// Adds a member to a table in brackets.
fn member(text: &str, root: &Node, name: &str, value: &str) -> Result<String, String> {
    let Kind::Mapping(pairs) = &root.kind else {
        return Err("it is no table".to_owned());
    };
    let name = json(&name.into())?;
    Ok(match pairs.last() {
        Some((_, last)) => spliced(text, last.end, last.end, &format!(", {name}: {value}")),
        None => spliced(
            text,
            root.start + 1,
            root.start + 1,
            &format!("{name}: {value}"),
        ),
    })
}

/// Names the current context.
fn set_current(text: &str, name: &str) -> Result<String, String> {
    let root = root(text)?;
    let flow = root.is_flow(text);
    let written = if flow {
        json(&name.into())?
    } else {
        name.to_owned()
    };
    match root.get(CURRENT) {
        Some((_, value)) => {
            let blank = if value.start == value.end { " " } else { "" };
            let new = format!("{blank}{written}");
            Ok(spliced(text, value.start, value.end, &new))
        }
        None if flow => member(text, &root, CURRENT, &written),
        None => {
            let line = format!("{CURRENT}: {written}\n");
            Ok(lines_in(text, line_end(text, root.end), &line))
        }
    }
}

/// The text with the current context that was before, and what that is.
fn restored(
    text: &str,
    content: &Value,
    previous: Option<&str>,
) -> Result<(String, Option<Value>), String> {
    let root = root(text)?;
    let (key, now) = root.get(CURRENT).ok_or("no current-context")?;
    let Some(previous) = previous else {
        if !root.is_flow(text) {
            let (from, to) = (line_start(text, key.start), line_end(text, now.end));
            return Ok((spliced(text, from, to, ""), None));
        }
        return Ok((spliced(text, now.start, now.end, "\"\""), Some("".into())));
    };
    let before = value(previous)?;
    let there = before
        .as_str()
        .is_none_or(|before| before.is_empty() || entry(content, "contexts", before).is_some());
    let (written, before) = match there {
        true => (previous, before),
        false => ("\"\"", "".into()),
    };
    // Where nothing stood behind the colon, no blank was there either.
    let blank = usize::from(previous.is_empty() && text[..now.start].ends_with(": "));
    let out = spliced(text, now.start - blank, now.end, written);
    Ok((out, Some(before)))
}
