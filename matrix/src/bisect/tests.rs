use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A small generator of numbers, so that simulated runs are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit.max(1) as u64).unwrap()
    }

    fn happens(&mut self, share: f64) -> bool {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64 <= share
    }
}

fn point(id: usize, parents: &[usize]) -> Point {
    Point {
        id: format!("c{id}"),
        title: format!("change {id}"),
        parents: parents.iter().map(|parent| format!("c{parent}")).collect(),
    }
}

fn line(points: usize) -> History {
    let parents = |id: usize| id.checked_sub(1).into_iter().collect::<Vec<_>>();
    History::new((0..points).map(|id| point(id, &parents(id))).collect()).unwrap()
}

/// A mainline into which branches are merged, as projects that review changes have it.
fn merged(points: usize, dice: &mut Dice) -> History {
    let mut all = vec![point(0, &[])];
    let mut mainline = vec![0];
    while all.len() < points {
        let tip = *mainline.last().unwrap();
        if dice.below(3) == 0 {
            all.push(point(all.len(), &[tip]));
        } else {
            let behind = dice.below(4).min(mainline.len() - 1);
            let mut side = mainline[mainline.len() - 1 - behind];
            for _ in 0..=dice.below(4) {
                all.push(point(all.len(), &[side]));
                side = all.len() - 1;
            }
            all.push(point(all.len(), &[tip, side]));
        }
        mainline.push(all.len() - 1);
    }
    History::new(all).unwrap()
}

/// Anything goes: each point has one to three parents among those before it.
fn tangled(points: usize, dice: &mut Dice) -> History {
    let all = (0..points).map(|id| {
        let parents: BTreeSet<usize> = (0..=dice.below(3)).map(|_| dice.below(id)).collect();
        point(
            id,
            &parents.into_iter().filter(|_| id > 0).collect::<Vec<_>>(),
        )
    });
    History::new(all.collect()).unwrap()
}

/// A history, what broke it, and what cannot be told.
struct World {
    history: History,
    culprit: usize,
    untold: BTreeSet<usize>,
    ends: (usize, usize),
}

impl World {
    /// Two ends, a culprit between them, and some points that cannot be told.
    fn new(history: History, untold: f64, dice: &mut Dice) -> Option<Self> {
        let last = history.points().len() - 1;
        let first = dice.below(last);
        if !history.before(last)?.has(first) {
            return None;
        }
        let mut range = history.before(last)?.clone();
        range.drop_all(history.before(first)?);
        let between: Vec<usize> = range.iter().collect();
        let culprit = between[dice.below(between.len())];
        let lost = between.iter().filter(|index| **index != last);
        let untold = lost.filter(|_| dice.happens(untold)).copied().collect();
        Some(Self {
            history,
            culprit,
            untold,
            ends: (first, last),
        })
    }

    fn id(&self, index: usize) -> String {
        self.history.at(index).unwrap().id.clone()
    }

    fn search(&self, goal: Goal, rule: Rule) -> Search {
        let (old, new) = (self.id(self.ends.0), self.id(self.ends.1));
        let (good, bad) = match goal {
            Goal::FirstBad => (&old, &new),
            Goal::FirstGood => (&new, &old),
        };
        Search::new(self.history.clone(), goal, (good, bad), rule).unwrap()
    }

    /// Whether what is looked for is there at a point.
    fn changed(&self, id: &str) -> bool {
        let index = self.history.index(id).unwrap();
        self.history.before(index).unwrap().has(self.culprit)
    }

    /// Runs a search to its end; each question goes through JSON, as it would between two jobs.
    fn solve(&self, goal: Goal, rule: Rule, dice: &mut Dice) -> (Search, Conclusion) {
        let mut search = self.search(goal, rule);
        loop {
            if rule.is_certain() {
                let text = serde_json::to_string(&search).unwrap();
                search = serde_json::from_str(&text).unwrap();
            }
            let point = match search.next() {
                Next::Done(conclusion) => return (search, conclusion),
                Next::Test { point, .. } => point,
            };
            assert!(search.records().len() < 20_000, "it does not end");
            let bad = self.changed(&point) == (goal == Goal::FirstBad);
            let rate = if bad {
                rule.fails_on_bad
            } else {
                rule.fails_on_good
            };
            let answer = if self.untold.contains(&self.history.index(&point).unwrap()) {
                Answer::CannotTell
            } else if dice.happens(rate) && rate > 0.0 {
                Answer::Bad
            } else {
                Answer::Good
            };
            search.record(&point, answer, None).unwrap();
        }
    }
}

fn asked(search: &Search) -> usize {
    let points: BTreeSet<&str> = search
        .records()
        .iter()
        .map(|record| record.point.as_str())
        .collect();
    points.len()
}

/// Whether `asked`, both ends included, is at most log2(candidates) + `more`.
fn few(search: &Search, more: f64) -> bool {
    asked(search) as f64 <= (search.candidates() as f64).log2() + more
}

proptest! {
    #[test]
    fn a_line_takes_no_more_than_halving(points in 2_usize..200, seed: u64) {
        let dice = &mut Dice(seed);
        let world = World::new(line(points), 0.0, dice).unwrap();
        let (search, end) = world.solve(Goal::FirstBad, Rule::default(), dice);
        prop_assert_eq!(end, Conclusion::Found { point: world.id(world.culprit) });
        prop_assert!(few(&search, 3.0), "{} of {}", asked(&search), search.candidates());
    }

    #[test]
    fn merges_take_few_questions_too(points in 8_usize..150, seed: u64) {
        let dice = &mut Dice(seed);
        let Some(world) = World::new(merged(points, dice), 0.0, dice) else { return Ok(()) };
        let (search, end) = world.solve(Goal::FirstBad, Rule::default(), dice);
        prop_assert_eq!(end, Conclusion::Found { point: world.id(world.culprit) });
        // Not every such history can be halved.
        prop_assert!(few(&search, 4.0), "{} of {}", asked(&search), search.candidates());
    }

    #[test]
    fn any_history_with_untold_points_gives_the_culprit_or_those_it_cannot_tell_apart(
        points in 3_usize..80, seed: u64, untold in 0.0..0.9, fix: bool,
    ) {
        let dice = &mut Dice(seed);
        let Some(mut world) = World::new(tangled(points, dice), untold, dice) else { return Ok(()) };
        world.untold.remove(&world.ends.1);
        let goal = if fix { Goal::FirstGood } else { Goal::FirstBad };
        let (search, end) = world.solve(goal, Rule::default(), dice);
        let culprit = world.id(world.culprit);
        match end {
            Conclusion::Found { point } => prop_assert_eq!(point, culprit),
            Conclusion::OneOf { points } => {
                prop_assert!(points.contains(&culprit));
                let told = points.iter().filter(|id| !world.untold.contains(&world.history.index(id).unwrap()));
                prop_assert_eq!(told.count(), 1, "all but the last known are untold");
            }
            Conclusion::WrongEnd { .. } => prop_assert!(false, "{end:?}"),
        }
        // Nothing is asked about twice, and the ends are asked about first.
        prop_assert_eq!(asked(&search), search.records().len());
        let first: BTreeSet<String> = search.records().iter().take(2).map(|record| record.point.clone()).collect();
        prop_assert_eq!(first, BTreeSet::from([world.id(world.ends.0), world.id(world.ends.1)]));
    }

    #[test]
    fn the_outlook_holds_what_is_asked_next(points in 4_usize..60, seed: u64) {
        let dice = &mut Dice(seed);
        let Some(world) = World::new(merged(points, dice), 0.0, dice) else { return Ok(()) };
        let mut search = world.search(Goal::FirstBad, Rule::default());
        while let Next::Test { point, .. } = search.next() {
            let outlook = search.outlook(&point);
            let answer = if world.changed(&point) { Answer::Bad } else { Answer::Good };
            search.record(&point, answer, None).unwrap();
            if let Next::Test { point, .. } = search.next() {
                prop_assert!(outlook.contains(&point), "{point} is not in {outlook:?}");
            }
        }
    }
}

/// What issue 8 must show: a spec that fails in 30 % of runs on good points and in 90 % on bad ones.
#[test]
fn a_flaky_spec_is_judged_as_surely_as_was_asked_for() {
    let rule = Rule {
        fails_on_good: 0.3,
        fails_on_bad: 0.9,
        ..Rule::default()
    };
    let (mut right, mut runs, mut worst) = (0, 0, 20);
    for batch in 0..20 {
        let mut right_of_20 = 0;
        for seed in 0..20 {
            let dice = &mut Dice(batch * 1000 + seed);
            let world = World::new(merged(48, dice), 0.05, dice)
                .unwrap_or_else(|| World::new(line(48), 0.05, dice).unwrap());
            let (search, end) = world.solve(Goal::FirstBad, rule, dice);
            let culprit = world.id(world.culprit);
            right_of_20 += usize::from(match end {
                Conclusion::Found { point } => point == culprit,
                Conclusion::OneOf { points } => points.contains(&culprit),
                Conclusion::WrongEnd { .. } => false,
            });
            runs += search.records().len();
        }
        right += right_of_20;
        worst = worst.min(right_of_20);
    }
    assert!(worst >= 19, "{worst} of 20, {runs} runs in all");
    // The bound that is stated: 1 % of wrong answers.
    assert!(right >= 396, "{right} of 400");
}

#[test]
fn a_failure_that_good_points_never_show_decides_at_once_and_passes_add_up() {
    let rule = Rule {
        fails_on_bad: 0.5,
        error: 0.01,
        ..Rule::default()
    };
    let mut search = Search::new(line(9), Goal::FirstBad, ("c0", "c8"), rule).unwrap();
    search.record("c8", Answer::Bad, None).unwrap();
    assert_eq!(search.verdict("c8").unwrap().answer, Answer::Bad);
    let mut passes = 0;
    while search.verdict("c0").is_none() {
        search.record("c0", Answer::Good, None).unwrap();
        passes += 1;
    }
    // Six questions share 1 %: half to the tenth power is below a sixth of it.
    assert_eq!(
        (passes, search.verdict("c0").unwrap().answer),
        (10, Answer::Good)
    );
}

#[test]
fn an_end_that_is_not_what_was_said_stops_the_search() {
    let mut search = Search::new(line(9), Goal::FirstBad, ("c0", "c8"), Rule::default()).unwrap();
    assert_eq!(
        search.next(),
        Next::Test {
            point: "c8".into(),
            runs: 0
        }
    );
    search.record("c8", Answer::Good, None).unwrap();
    let expected = Conclusion::WrongEnd {
        point: "c8".into(),
        said: Answer::Bad,
        is: Answer::Good,
    };
    assert_eq!(search.next(), Next::Done(expected));
}

#[test]
fn ends_in_the_wrong_order_and_rules_that_tell_nothing_are_refused() {
    let wrong = Search::new(line(9), Goal::FirstBad, ("c8", "c0"), Rule::default());
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "`c8` does not come before `c0`"
    );
    let rule = Rule {
        fails_on_good: 0.9,
        fails_on_bad: 0.3,
        ..Rule::default()
    };
    let error = Search::new(line(9), Goal::FirstBad, ("c0", "c8"), rule).unwrap_err();
    assert!(
        error.to_string().contains("0.9 on good and 0.3 on bad"),
        "{error}"
    );
    let twice = History::new(vec![point(1, &[]), point(1, &[])]);
    assert_eq!(twice, Err(HistoryError::Twice("c1".into())));
    let cycle = History::new(vec![point(0, &[1]), point(1, &[0])]);
    assert_eq!(cycle, Err(HistoryError::Cycle("c0".into())));
}

#[test]
fn a_range_that_does_not_build_is_left_in_strides() {
    let dice = &mut Dice(1);
    let world = World {
        history: line(128),
        culprit: 100,
        untold: (50..90).collect(),
        ends: (0, 127),
    };
    let (search, end) = world.solve(Goal::FirstBad, Rule::default(), dice);
    assert_eq!(
        end,
        Conclusion::Found {
            point: "c100".into()
        }
    );
    assert!(asked(&search) <= 15, "{}", asked(&search));
}

#[test]
fn the_log_is_git_s_own() {
    let mut search = Search::new(line(4), Goal::FirstGood, ("c3", "c0"), Rule::default()).unwrap();
    for (point, answer) in [
        ("c3", Answer::Good),
        ("c0", Answer::Bad),
        ("c2", Answer::CannotTell),
        ("c1", Answer::Bad),
    ] {
        search.record(point, answer, None).unwrap();
    }
    assert_eq!(
        git_log(&search),
        "# fixed: [c3] change 3\n# broken: [c0] change 0\n\
         git bisect start '--term-new=fixed' '--term-old=broken' 'c3' 'c0'\n\
         # skip: [c2] change 2\ngit bisect skip c2\n\
         # broken: [c1] change 1\ngit bisect broken c1\n\
         # only skipped commits left to test\n\
         # possible first fixed commit: [c3] change 3\n# possible first fixed commit: [c2] change 2\n"
    );
}
