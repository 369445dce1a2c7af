//! A YAML document by the places of its parts, so that one part can be changed and the rest stays as it is.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// A part of the text, from its first byte to the one behind its last.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing stands there: `clusters:`.
    Empty,
    Scalar(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    /// What a name elsewhere stands for.
    Alias,
}

impl Node {
    /// The value at `name`, with its key.
    pub(super) fn get(&self, name: &str) -> Option<&(Node, Node)> {
        let Kind::Mapping(pairs) = &self.kind else {
            return None;
        };
        pairs.iter().find(|(key, _)| key.is(name))
    }

    /// Whether it is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(&self.kind, Kind::Scalar(own) if own == text)
    }

    /// Whether it is written with brackets, as all of JSON is.
    pub(super) fn is_flow(&self, text: &str) -> bool {
        let bracket = match self.kind {
            Kind::Sequence(_) => '[',
            _ => '{',
        };
        text[self.start..].starts_with(bracket)
    }
}

/// The only document of `text`; none if there are but comments.
///
/// # Errors
/// What is wrong with it, and where.
pub(super) fn parse(text: &str) -> Result<Option<Node>, String> {
    let mut reader = Reader {
        text,
        bytes: text.char_indices().map(|(byte, _)| byte).collect(),
        events: Parser::new_from_str(text),
    };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if root.is_some() => return Err("it holds more than one document".to_owned()),
            event => root = Some(reader.node(event, span)?),
        }
    }
}

struct Reader<'t, E> {
    text: &'t str,
    /// Where each character begins.
    bytes: Vec<usize>,
    events: E,
}

impl<'t, E> Reader<'t, E>
where
    E: Iterator<Item = Result<(Event<'t>, Span), saphyr_parser::ScanError>>,
{
    fn next(&mut self) -> Result<(Event<'t>, Span), String> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes
            .get(character)
            .copied()
            .unwrap_or(self.text.len())
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, String> {
        let start = self.byte(span.start.index());
        let mut end = self.byte(span.end.index());
        let kind = match event {
            Event::Scalar(value, ScalarStyle::Plain, ..) if value.is_empty() => {
                // The place is that of the colon or dash before it.
                end = start + usize::from(self.text[start..].starts_with([':', '-']));
                return Ok(Node {
                    start: end,
                    end,
                    kind: Kind::Empty,
                });
            }
            Event::Scalar(value, ..) => Kind::Scalar(value.into_owned()),
            Event::Alias(_) => Kind::Alias,
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        end = self.closed(start, '[', span, items.last());
                        break Kind::Sequence(items);
                    }
                    items.push(self.node(event, span)?);
                }
            }
            Event::MappingStart(..) => {
                let mut pairs = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        let last = pairs.last().map(|(_, value)| value);
                        end = self.closed(start, '{', span, last);
                        break Kind::Mapping(pairs);
                    }
                    let key = self.node(event, span)?;
                    let (event, span) = self.next()?;
                    let value = self.node(event, span)?;
                    pairs.push((key, value));
                }
            }
            _ => return Err("it is no document".to_owned()),
        };
        // A text over several lines reaches to where the next thing begins.
        let trimmed = self.text[start..end].trim_end();
        let end = start + trimmed.len();
        Ok(Node { start, end, kind })
    }

    /// The end of what brackets close is theirs; else it is that of the last part, whatever comments follow.
    fn closed(&self, start: usize, bracket: char, span: Span, last: Option<&Node>) -> usize {
        match last {
            // Its place reaches to what comes next, over comments.
            _ if self.text[start..].starts_with(bracket) => self.byte(span.start.index()) + 1,
            Some(last) => last.end,
            None => start,
        }
    }
}
