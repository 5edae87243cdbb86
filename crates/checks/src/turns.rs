//! Queues items fairly: clients take turns.

use std::collections::{BTreeSet, HashMap, VecDeque};

use hallpass_core::Turn;

/// A bounded queue with one line for each client. The lines take turns, so a client that sends a
/// thousand items at once delays only itself.
///
/// Clients that have logged in lately go before strangers, and strangers before clients that have
/// failed lately; but some turns are kept for the lower standings, so that a member who logs in
/// again and again cannot lock strangers out. When the queue is full, the longest line loses its
/// last item.
#[derive(Debug)]
pub struct Turns<T> {
    lines: HashMap<u64, Line<T>>,
    /// The lines that may be taken from, in the order of their turns.
    order: BTreeSet<Place>,
    most: usize,
    at_once: usize,
    waiting: usize,
    ready: usize,
    rounds: Rounds,
    /// The number of turns so far.
    taken: u64,
    next: u64,
}

/// One turn in this many is kept for the lower standings, one after the other.
const KEPT: u64 = 4;
/// At least one turn in this many goes to a lower standing while all of them wait.
const RAREST: usize = 8;

/// The latest round of each standing: turns of one standing do not move the rounds of another.
#[derive(Debug, Default)]
struct Rounds {
    familiar: u64,
    stranger: u64,
    failed: u64,
}

impl Rounds {
    fn of(&self, standing: Standing) -> u64 {
        match standing {
            Standing::Familiar => self.familiar,
            Standing::Stranger => self.stranger,
            Standing::Failed => self.failed,
        }
    }

    fn begin(&mut self, standing: Standing, round: u64) {
        let latest = match standing {
            Standing::Familiar => &mut self.familiar,
            Standing::Stranger => &mut self.stranger,
            Standing::Failed => &mut self.failed,
        };
        *latest = round.max(*latest);
    }
}

/// How a client stands; lower values go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Familiar,
    Stranger,
    Failed,
}

impl Standing {
    fn of(turn: Turn) -> Self {
        match turn {
            Turn { familiar: true, .. } => Self::Familiar,
            Turn { failures: 0, .. } => Self::Stranger,
            Turn { .. } => Self::Failed,
        }
    }
}

/// The items of one client.
#[derive(Debug)]
struct Line<T> {
    standing: Standing,
    /// The round of its first item; the others have the following rounds.
    round: u64,
    /// Orders the lines of one round by when they began.
    number: u64,
    waiting: VecDeque<T>,
    at_work: usize,
}

/// A place in the order of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    standing: Standing,
    round: u64,
    number: u64,
    of: u64,
}

impl<T> Line<T> {
    fn place(&self, of: u64, at_once: usize) -> Option<Place> {
        (self.ready(at_once) > 0).then_some(Place {
            standing: self.standing,
            round: self.round,
            number: self.number,
            of,
        })
    }

    /// The number of its items that could be taken now.
    fn ready(&self, at_once: usize) -> usize {
        self.waiting.len().min(at_once.saturating_sub(self.at_work))
    }

    /// Its share of the room; the largest line loses items first.
    fn size(&self) -> (Standing, usize) {
        (self.standing, self.waiting.len() + self.at_work)
    }
}

impl<T> Turns<T> {
    /// A queue of at most `most` items, of which `at_once` items of one client may be taken and not
    /// [`done`](Self::done) at a time.
    #[must_use]
    pub fn new(most: usize, at_once: usize) -> Self {
        Self {
            lines: HashMap::new(),
            order: BTreeSet::new(),
            most,
            at_once: at_once.max(1),
            waiting: 0,
            ready: 0,
            rounds: Rounds::default(),
            taken: 0,
            next: 0,
        }
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether no item waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The number of items that could be taken now.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Puts `item` at the end of its client's line. Returns the item that does not fit: another, or
    /// `item` itself.
    pub fn put(&mut self, turn: Turn, item: T) -> Option<T> {
        let standing = Standing::of(turn);
        let mut displaced = None;
        if self.waiting >= self.most {
            let own = self.lines.get(&turn.of).map_or(0, |line| line.size().1);
            let longest = self
                .lines
                .iter()
                .filter(|(_, line)| !line.waiting.is_empty());
            let longest = longest.max_by_key(|(_, line)| (line.size(), line.number));
            match longest.map(|(of, line)| (*of, line.size())) {
                Some((of, size)) if size > (standing, own + 1) => {
                    displaced = self.change(of, |line| line.waiting.pop_back()).flatten();
                }
                _ => return Some(item),
            }
        }
        let (round, number) = (self.rounds.of(standing), self.next);
        self.next += 1;
        self.lines.entry(turn.of).or_insert_with(|| Line {
            standing,
            round,
            number,
            waiting: VecDeque::new(),
            at_work: 0,
        });
        self.change(turn.of, |line| {
            if line.standing != standing {
                line.standing = standing;
                line.round = round;
            }
            line.waiting.push_back(item);
        });
        displaced
    }

    /// The item whose turn it is, and its client, for [`done`](Self::done).
    pub fn take(&mut self) -> Option<(u64, T)> {
        let kept = self.taken % KEPT == KEPT - 1;
        let place = kept.then(|| self.first_of_lower()).flatten();
        let place = place.or_else(|| self.order.first().copied())?;
        self.taken = self.taken.wrapping_add(1);
        let item = self.change(place.of, |line| {
            line.round += 1;
            line.at_work += 1;
            line.waiting.pop_front()
        })??;
        self.rounds.begin(place.standing, place.round);
        Some((place.of, item))
    }

    /// The first place of a lower standing, of both alternately.
    fn first_of_lower(&self) -> Option<Place> {
        let lower = match self.taken / KEPT % 2 {
            0 => [Standing::Stranger, Standing::Failed],
            _ => [Standing::Failed, Standing::Stranger],
        };
        let first_of = |standing| {
            let start = Place {
                standing,
                round: 0,
                number: 0,
                of: 0,
            };
            let first = self.order.range(start..).next();
            first.filter(|place| place.standing == standing).copied()
        };
        lower.into_iter().find_map(first_of)
    }

    /// Reports that one of the items taken for `of` is done.
    pub fn done(&mut self, of: u64) {
        self.change(of, |line| line.at_work = line.at_work.saturating_sub(1));
    }

    /// The items that would go before another one of `turn`: those of its own standing that come
    /// first, and as many of better standings as go before these, some turns being kept.
    pub fn before(&self, turn: Turn) -> impl Iterator<Item = &T> {
        let standing = Standing::of(turn);
        let round = match self.lines.get(&turn.of) {
            Some(line) if line.standing == standing => line.round + line.waiting.len() as u64,
            _ => self.rounds.of(standing),
        };
        let of_standing = |line: &&Line<T>| line.standing == standing;
        let own = self
            .lines
            .values()
            .filter(of_standing)
            .flat_map(move |line| {
                let rounds = line.waiting.iter().zip(line.round..);
                let before = rounds.filter(move |(_, of)| *of <= round);
                before.map(|(item, _)| item)
            });
        let own: Vec<_> = own.collect();
        let most = (own.len() + 1).saturating_mul(RAREST);
        let better = self
            .lines
            .values()
            .filter(move |line| line.standing < standing);
        let better = better.flat_map(|line| &line.waiting).take(most);
        own.into_iter().chain(better)
    }

    /// Changes the line of `of` and all that is derived from it. An empty line is forgotten.
    fn change<R>(&mut self, of: u64, change: impl FnOnce(&mut Line<T>) -> R) -> Option<R> {
        let line = self.lines.get_mut(&of)?;
        if let Some(place) = line.place(of, self.at_once) {
            self.order.remove(&place);
        }
        self.waiting -= line.waiting.len();
        self.ready -= line.ready(self.at_once);
        let result = change(line);
        self.waiting += line.waiting.len();
        self.ready += line.ready(self.at_once);
        if let Some(place) = line.place(of, self.at_once) {
            self.order.insert(place);
        }
        if line.waiting.is_empty() && line.at_work == 0 {
            self.lines.remove(&of);
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(of: u64) -> Turn {
        Turn {
            of,
            familiar: false,
            failures: 0,
        }
    }

    fn familiar(of: u64) -> Turn {
        Turn {
            familiar: true,
            ..stranger(of)
        }
    }

    /// What comes out, each being done before the next is taken.
    fn drain<T>(turns: &mut Turns<T>) -> Vec<T> {
        std::iter::from_fn(|| {
            let (of, item) = turns.take()?;
            turns.done(of);
            Some(item)
        })
        .collect()
    }

    #[test]
    fn clients_take_turns_and_each_waits_in_line() {
        let mut turns = Turns::new(100, 100);
        for item in ["a1", "a2", "a3", "a4"] {
            assert_eq!(turns.put(stranger(1), item), None);
        }
        assert_eq!(turns.put(stranger(2), "b1"), None);
        assert_eq!(turns.put(stranger(3), "c1"), None);
        assert_eq!(turns.put(stranger(3), "c2"), None);
        assert_eq!(turns.len(), 7);
        let order = ["a1", "b1", "c1", "a2", "c2", "a3", "a4"];
        assert_eq!(drain(&mut turns), order);
        assert_eq!((turns.len(), turns.ready(), turns.lines.len()), (0, 0, 0));
    }

    #[test]
    fn a_newcomer_waits_for_no_more_than_one_of_each() {
        let mut turns = Turns::new(10_000, 10_000);
        for number in 0..1000 {
            turns.put(stranger(1), ("flood", number));
        }
        for _ in 0..300 {
            turns.take();
        }
        turns.put(stranger(2), ("owner", 0));
        assert!(turns.before(stranger(3)).count() <= 2);
        let next = [turns.take().unwrap().1.0, turns.take().unwrap().1.0];
        assert!(next.contains(&"owner"), "{next:?}");
    }

    #[test]
    fn those_who_have_logged_in_lately_go_first_and_those_who_failed_later() {
        let mut turns = Turns::new(100, 100);
        let failed = |of| Turn {
            failures: 2,
            ..stranger(of)
        };
        // What is known of a client is what is known now.
        turns.put(stranger(1), "f1");
        turns.put(failed(1), "f2");
        for item in ["s1", "s2"] {
            turns.put(stranger(2), item);
        }
        turns.put(familiar(3), "familiar");
        turns.put(failed(4), "g1");
        assert_eq!(turns.before(familiar(5)).collect::<Vec<_>>(), [&"familiar"]);
        assert_eq!(turns.before(stranger(5)).count(), 2);
        assert_eq!(turns.before(failed(5)).count(), 5);
        let order = ["familiar", "s1", "s2", "f1", "g1", "f2"];
        assert_eq!(drain(&mut turns), order);
    }

    #[test]
    fn members_who_log_in_without_end_keep_nobody_out() {
        let mut turns = Turns::new(10_000, 10_000);
        let failed = |of| Turn {
            failures: 2,
            ..stranger(of)
        };
        for _ in 0..1000 {
            turns.put(familiar(1), "member");
            turns.put(failed(2), "guesser");
        }
        turns.put(stranger(3), "stranger");
        // At most eight turns for one of its own, and what it may have to wait for is no more.
        assert!(turns.before(stranger(4)).count() <= 1 + 2 * 8);
        let taken: Vec<_> = (0..400).map(|_| turns.take().unwrap().1).collect();
        assert!(taken[..8].contains(&"stranger"));
        let count = |whose| taken.iter().filter(|item| **item == whose).count();
        assert_eq!((count("member"), count("guesser")), (300, 99));
        // The same where they come one at a time, and where all three have no end.
        for _ in 0..400 {
            turns.put(stranger(3), "stranger");
        }
        let taken: Vec<_> = (0..400).map(|_| turns.take().unwrap().1).collect();
        let count = |whose| taken.iter().filter(|item| **item == whose).count();
        let counts = ["member", "stranger", "guesser"].map(count);
        assert_eq!(counts, [300, 50, 50]);
    }

    #[test]
    fn turns_of_one_standing_are_nothing_to_another() {
        let mut turns = Turns::new(10_000, 10_000);
        for number in 0..500 {
            turns.put(stranger(1), ("flood", number));
        }
        for number in 0..1000 {
            turns.put(familiar(2), ("member", number));
        }
        while turns.take().unwrap().1.0 != "member" {}
        for _ in 0..900 {
            turns.take();
        }
        // A newcomer comes after one of the flood, however many members have logged in.
        turns.put(stranger(3), ("newcomer", 0));
        assert!(turns.before(stranger(4)).count() <= 2 + 3 * 8);
        let strangers = std::iter::from_fn(|| turns.take()).map(|(_, (whose, _))| whose);
        let strangers = strangers.filter(|whose| *whose != "member").take(2);
        assert!(strangers.collect::<Vec<_>>().contains(&"newcomer"));
    }

    #[test]
    fn no_more_of_one_client_are_worked_on_than_it_may() {
        let mut turns = Turns::new(100, 2);
        for item in ["a1", "a2", "a3"] {
            turns.put(stranger(1), item);
        }
        assert_eq!(turns.ready(), 2);
        let (of, first) = turns.take().unwrap();
        assert_eq!((first, turns.take().unwrap().1), ("a1", "a2"));
        assert_eq!((turns.take(), turns.ready(), turns.len()), (None, 0, 1));
        turns.put(stranger(2), "b1");
        assert_eq!(turns.take().unwrap().1, "b1");
        turns.done(of);
        assert_eq!(turns.take().unwrap().1, "a3");
    }

    #[test]
    fn the_longest_line_loses_its_last_when_there_is_no_room() {
        let mut turns = Turns::new(4, 4);
        for item in ["a1", "a2", "a3"] {
            assert_eq!(turns.put(stranger(1), item), None);
        }
        assert_eq!(turns.put(stranger(2), "b1"), None);
        assert_eq!(turns.put(stranger(3), "c1"), Some("a3"));
        // Its own line is the longest, or as long as any.
        assert_eq!(turns.put(stranger(1), "a4"), Some("a4"));
        assert_eq!(turns.put(stranger(2), "b2"), Some("b2"));
        assert_eq!(turns.put(stranger(4), "d1"), Some("a2"));
        assert_eq!(turns.put(stranger(5), "e1"), Some("e1"));
        // A stranger makes room for those who have logged in lately, and never the other way.
        assert_eq!(turns.put(familiar(6), "f1"), Some("d1"));
        for number in 0..10 {
            assert!(turns.put(familiar(7 + number), "g").is_some());
        }
        assert_eq!(turns.put(stranger(8), "h"), Some("h"));
        assert_eq!(turns.len(), 4);
    }

    #[test]
    fn nothing_is_lost_or_counted_twice() {
        let mut turns = Turns::new(50, 3);
        let (mut put, mut out, mut at_work) = (0, 0, Vec::new());
        let mut state = 12_345_u64;
        for _ in 0..100_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let chosen = state >> 33;
            match chosen % 5 {
                0..=2 => {
                    let turn = Turn {
                        of: chosen / 5 % 9,
                        familiar: chosen / 5 % 9 < 2,
                        failures: u32::from(chosen & 1 == 0),
                    };
                    put += 1;
                    out += usize::from(turns.put(turn, ()).is_some());
                }
                3 => {
                    if let Some((of, ())) = turns.take() {
                        out += 1;
                        at_work.push(of);
                    }
                }
                _ => {
                    if let Some(of) = at_work.pop() {
                        turns.done(of);
                    }
                }
            }
            assert_eq!(put, out + turns.len());
            assert!(turns.len() <= 50 && turns.ready() <= turns.len());
            let ready: usize = turns.lines.values().map(|line| line.ready(3)).sum();
            assert_eq!(ready, turns.ready());
        }
    }
}
