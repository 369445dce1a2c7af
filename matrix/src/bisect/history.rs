//! Which points there are, and which come before which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Something that can be tested: a commit, a version, a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Its name, different from all others: a commit's hash, a version.
    pub id: String,
    /// In one line, for people.
    #[serde(default)]
    pub title: String,
    /// What comes right before it, the first parent first.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// Why points make no history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// Two points have one name.
    #[error("`{0}` is in the history twice")]
    Twice(String),
    /// Following parents leads back to where one was.
    #[error("`{0}` comes before itself")]
    Cycle(String),
}

/// Points, those that come before others first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Point>", into = "Vec<Point>")]
pub struct History {
    points: Vec<Point>,
    /// Parents by number; those outside of the history are left out.
    parents: Vec<Vec<usize>>,
    by_id: BTreeMap<String, usize>,
    /// Each point's ancestors and itself.
    before: Vec<Bits>,
}

impl From<History> for Vec<Point> {
    fn from(history: History) -> Self {
        history.points
    }
}

impl TryFrom<Vec<Point>> for History {
    type Error = HistoryError;

    fn try_from(points: Vec<Point>) -> Result<Self, HistoryError> {
        Self::new(points)
    }
}

impl History {
    /// A history of these points, in whatever order they come.
    ///
    /// # Errors
    /// When a name is there twice, or a point comes before itself.
    pub fn new(points: Vec<Point>) -> Result<Self, HistoryError> {
        let points = sorted(points)?;
        let by_id: BTreeMap<String, usize> = points
            .iter()
            .enumerate()
            .map(|(index, point)| (point.id.clone(), index))
            .collect();
        let parents: Vec<Vec<usize>> = points
            .iter()
            .map(|point| {
                let known = point.parents.iter().filter_map(|id| by_id.get(id));
                known.copied().collect()
            })
            .collect();
        let mut before: Vec<Bits> = Vec::with_capacity(points.len());
        for (index, parents) in parents.iter().enumerate() {
            let mut bits = Bits::new(points.len());
            bits.insert(index);
            for parent in parents {
                if let Some(theirs) = before.get(*parent) {
                    bits.add(theirs);
                }
            }
            before.push(bits);
        }
        Ok(Self {
            points,
            parents,
            by_id,
            before,
        })
    }

    /// A history without branches, the oldest first.
    ///
    /// # Errors
    /// When a name is there twice.
    pub fn line(names: impl IntoIterator<Item = (String, String)>) -> Result<Self, HistoryError> {
        let mut points: Vec<Point> = Vec::new();
        for (id, title) in names {
            let parents = points.last().map(|point| point.id.clone());
            points.push(Point {
                id,
                title,
                parents: parents.into_iter().collect(),
            });
        }
        Self::new(points)
    }

    /// The point of that name.
    #[must_use]
    pub fn point(&self, id: &str) -> Option<&Point> {
        self.points.get(*self.by_id.get(id)?)
    }

    /// All points.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether a point is `later`, or comes before it.
    #[must_use]
    pub fn reaches(&self, later: &str, point: &str) -> bool {
        let (Some(later), Some(point)) = (self.index(later), self.index(point)) else {
            return false;
        };
        self.before(later).is_some_and(|before| before.has(point))
    }

    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn at(&self, index: usize) -> Option<&Point> {
        self.points.get(index)
    }

    pub(super) fn first_parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index)?.first().copied()
    }

    /// The point, and all that come before it.
    pub(super) fn before(&self, index: usize) -> Option<&Bits> {
        self.before.get(index)
    }

    pub(super) fn nothing(&self) -> Bits {
        Bits::new(self.points.len())
    }
}

/// Parents before children; among those that could come next, the one that was given first.
fn sorted(points: Vec<Point>) -> Result<Vec<Point>, HistoryError> {
    let mut by_id = BTreeMap::new();
    for (index, point) in points.iter().enumerate() {
        if by_id.insert(point.id.as_str(), index).is_some() {
            return Err(HistoryError::Twice(point.id.clone()));
        }
    }
    let mut waits_for = vec![0_usize; points.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    for (index, point) in points.iter().enumerate() {
        for parent in point
            .parents
            .iter()
            .filter_map(|id| by_id.get(id.as_str()).copied())
        {
            if let Some(list) = children.get_mut(parent) {
                list.push(index);
            }
            if let Some(count) = waits_for.get_mut(index) {
                *count += 1;
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> = waits_for
        .iter()
        .enumerate()
        .filter_map(|(index, count)| (*count == 0).then_some(index))
        .collect();
    let mut order = Vec::with_capacity(points.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for child in children.get(index).into_iter().flatten() {
            if let Some(count) = waits_for.get_mut(*child) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(*child);
                }
            }
        }
    }
    let stuck = waits_for.iter().position(|count| *count > 0);
    if let Some(point) = stuck.and_then(|index| points.get(index)) {
        return Err(HistoryError::Cycle(point.id.clone()));
    }
    let mut points: Vec<Option<Point>> = points.into_iter().map(Some).collect();
    let take = |index: usize| points.get_mut(index).and_then(Option::take);
    Ok(order.into_iter().filter_map(take).collect())
}

/// A set of points by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn new(points: usize) -> Self {
        Self(vec![0; points.div_ceil(64)])
    }

    pub(super) fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    pub(super) fn keep(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= theirs;
        }
    }

    pub(super) fn drop_all(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= !theirs;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many points are in both.
    pub(super) fn common(&self, other: &Self) -> usize {
        let both = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(mine, theirs)| mine & theirs);
        both.map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| at * 64 + bit)
        })
    }
}
