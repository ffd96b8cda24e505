//! One rate-limit bucket: how many requests are left in a fixed window, and who goes next. No clock, no I/O: times are
//! seconds since the epoch, given by the caller, so that processes can share a bucket through a file.

use serde::{Deserialize, Serialize};

use super::limits::Told;

/// Requests let through per second-sized gap between two waiters: each wakes alone.
const GAP: f64 = 0.05;
/// After a reset the server's clock is given this long.
const LEAD: f64 = 0.05;
/// Longest brake before a request when few are left.
const BRAKE: f64 = 0.5;
/// How far two readings of one window's end may lie apart: `t` is in whole seconds.
const SLACK: f64 = 1.5;
/// "Any number": before the server said one.
const MANY: i64 = 1 << 40;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// The smallest number left that the server told in this window.
    left: i64,
    /// Requests of this node on their way: not yet in `left`.
    inflight: i64,
    /// End of the window.
    reset: f64,
    quota: Option<i64>,
    window: Option<f64>,
    /// When the next waiter may wake.
    next_slot: f64,
    /// Waiters with a slot: the requests of the next window that are promised to them.
    promised: i64,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Turn {
    /// Go, after a brake of so many seconds. It counts as on its way.
    Go(f64),
    /// Come back at this time, as a waiter.
    Wait(f64),
}

impl Bucket {
    /// From a first answer.
    pub(crate) fn new(now: f64, told: &Told) -> Self {
        let mut made = Self {
            left: MANY,
            inflight: 0,
            reset: f64::MIN,
            quota: None,
            window: None,
            next_slot: 0.0,
            promised: 0,
        };
        made.told(now, told);
        made
    }

    /// Whether a state read from a file can be one.
    pub(crate) fn is_sane(&self, now: f64) -> bool {
        let near = |t: f64| t.is_finite() && t < now + 3600.0;
        near(self.reset)
            && near(self.next_slot)
            && self.window.is_none_or(|w| w.is_finite() && w > 0.0)
            && self.inflight >= 0
            && self.promised >= 0
            && self.left <= MANY
    }

    /// Begins a new window when the old one is over. `own` are this process's requests on their way; what other
    /// processes left behind when they were killed is forgotten here.
    fn roll(&mut self, now: f64, own: i64) {
        if now < self.reset {
            return;
        }
        if self.left != MANY {
            self.inflight = own;
        }
        self.left = self.quota.unwrap_or(MANY);
        self.reset = match (self.quota, self.window) {
            // Windows that nobody used are skipped.
            (Some(_), Some(window)) => {
                self.reset + window * ((now - self.reset) / window).floor().max(0.0) + window
            }
            _ => self.reset,
        };
    }

    /// A request asks for its turn. `waited`: it comes back from a wait, and its promise is used up.
    pub(crate) fn ask(&mut self, now: f64, own: i64, waited: bool, random: f64) -> Turn {
        self.roll(now, own);
        if waited {
            self.promised -= 1;
        }
        // Waiters that never came back (killed) cannot be more than the slots ahead.
        let ahead = ((self.next_slot - now) / GAP).ceil().max(0.0) as i64;
        self.promised = self.promised.clamp(0, ahead);
        let free = self.left - self.inflight - if waited { 0 } else { self.promised };
        if free > 0 {
            self.inflight += 1;
            return Turn::Go(self.brake(now, free, random));
        }
        let earliest = if self.reset > now { self.reset + LEAD } else { now + GAP };
        let slot = self.next_slot.max(earliest + GAP * random);
        self.next_slot = slot + GAP * (1.0 + random * 0.5);
        self.promised += 1;
        Turn::Wait(slot)
    }

    /// Few are left: what is there is spread over the rest of the window, a little.
    fn brake(&self, now: f64, free: i64, random: f64) -> f64 {
        let few = (self.quota.unwrap_or(250) / 50).clamp(2, 50);
        if free > few {
            return 0.0;
        }
        (((self.reset - now) / (free + 1) as f64).clamp(0.0, BRAKE)) * (0.5 + random * 0.5)
    }

    /// A request is not on its way any more.
    pub(crate) fn landed(&mut self) {
        self.inflight = (self.inflight - 1).max(0);
    }

    /// What an answer said. Answers overtake each other, so within a window the smallest `left` counts.
    pub(crate) fn told(&mut self, now: f64, told: &Told) {
        if let Some((quota, window)) = told.policy {
            (self.quota, self.window) = (Some(quota), Some(window));
        }
        let slack = self.window.map_or(SLACK, |w| SLACK.min(w / 2.0));
        let reset = now + told.reset;
        if reset > self.reset + slack || self.left == MANY {
            (self.left, self.reset) = (told.left, reset);
        } else {
            self.left = self.left.min(told.left);
            // `t` is rounded: the latest reading is the safe one.
            self.reset = self.reset.max(reset);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn told(left: i64, reset: f64, policy: Option<(i64, f64)>) -> Told {
        Told { bucket: "b".into(), left, reset, policy }
    }

    #[test]
    fn requests_on_their_way_count() {
        let mut bucket = Bucket::new(0.0, &told(3, 10.0, None));
        for _ in 0..3 {
            assert!(matches!(bucket.ask(0.0, 0, false, 0.0), Turn::Go(_)));
        }
        let Turn::Wait(until) = bucket.ask(0.0, 3, false, 0.0) else {
            unreachable!("a fourth request went");
        };
        assert!((10.0..10.2).contains(&until));
        bucket.landed();
        bucket.told(0.1, &told(2, 9.9, None)); // two are left, two are on their way
        assert!(matches!(bucket.ask(0.1, 2, false, 0.0), Turn::Wait(_)));
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_raise_the_number() {
        let mut bucket = Bucket::new(0.0, &told(10, 5.0, Some((20, 10.0))));
        bucket.told(0.1, &told(2, 5.0, Some((20, 10.0))));
        bucket.told(0.2, &told(9, 5.0, Some((20, 10.0))));
        assert_eq!(bucket.left, 2);
        bucket.told(5.5, &told(19, 10.0, Some((20, 10.0))));
        assert_eq!(bucket.left, 19); // a new window
    }

    #[test]
    fn waiters_wake_one_by_one_and_come_before_newcomers() {
        let policy = Some((20, 10.0));
        let mut bucket = Bucket::new(0.0, &told(0, 5.0, policy));
        let slots: Vec<f64> = (0..40)
            .map(|i| match bucket.ask(0.0, 0, false, f64::from(i % 10) / 10.0) {
                Turn::Wait(until) => until,
                Turn::Go(_) => unreachable!("nothing is left"),
            })
            .collect();
        assert!(slots.iter().all(|s| *s > 5.0));
        let gaps: Vec<f64> = slots.iter().zip(slots.iter().skip(1)).map(|(a, b)| b - a).collect();
        assert!(gaps.iter().all(|g| *g >= GAP - 1e-9), "{gaps:?}");
        // The window is over: 20 may go, 40 were promised a turn; a newcomer waits.
        assert!(matches!(bucket.ask(5.06, 0, false, 0.0), Turn::Wait(_)));
        let went = slots.iter().filter(|s| matches!(bucket.ask(**s, 0, true, 0.0), Turn::Go(_))).count();
        assert_eq!(went, 20);
    }

    #[test]
    fn the_dead_are_forgotten() {
        let mut bucket = Bucket::new(0.0, &told(5, 10.0, Some((5, 10.0))));
        for _ in 0..9 {
            bucket.ask(0.0, 0, false, 0.0); // and none of them ever lands or comes back
        }
        let went = (0..9).filter(|_| matches!(bucket.ask(25.0, 0, false, 0.0), Turn::Go(_))).count();
        assert_eq!(went, 5);
    }

    #[test]
    fn a_brake_when_few_are_left() {
        let mut bucket = Bucket::new(0.0, &told(300, 10.0, Some((300, 10.0))));
        assert_eq!(bucket.ask(0.0, 0, false, 0.5), Turn::Go(0.0));
        bucket.told(0.0, &told(4, 10.0, None));
        assert!(matches!(bucket.ask(0.0, 0, false, 0.5), Turn::Go(s) if s > 0.1 && s <= BRAKE));
    }

    #[test]
    fn an_unknown_quota_opens_after_the_window() {
        let mut bucket = Bucket::new(0.0, &told(0, 2.0, None));
        assert!(matches!(bucket.ask(1.0, 0, false, 0.0), Turn::Wait(_)));
        assert_eq!(bucket.ask(2.5, 0, true, 0.0), Turn::Go(0.0));
        bucket.told(2.6, &told(7, 10.0, None));
        assert_eq!(bucket.left, 7);
    }

    #[test]
    fn states_from_a_file_are_checked() {
        let good = Bucket::new(0.0, &told(5, 10.0, None));
        assert!(good.is_sane(0.0));
        for bad in [
            Bucket { reset: f64::NAN, ..good.clone() },
            Bucket { reset: 1e12, ..good.clone() },
            Bucket { inflight: -1, ..good.clone() },
            Bucket { window: Some(0.0), ..good },
        ] {
            assert!(!bad.is_sane(0.0), "{bad:?}");
        }
    }

    /// A server with fixed windows, and clients that share a bucket: how many requests it refused, and when the last one
    /// was answered.
    fn simulated(
        quota: i64,
        window: f64,
        clients: usize,
        total: usize,
        latency: f64,
        seed: u64,
    ) -> (usize, f64) {
        #[derive(Clone, Copy)]
        enum Step {
            Ask(bool),
            Arrive,
            Answer(i64, f64),
        }
        let mut state = seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let policy = Some((quota, window));
        let mut bucket = Bucket::new(0.0, &told(quota, window, policy));
        let mut events: Vec<(f64, Step)> =
            (0..clients).map(|_| (random() * 0.01, Step::Ask(false))).collect();
        let (mut asked, mut flying, mut refused, mut served, mut last) =
            (clients, 0_i64, 0, (0_i64, 0_i64), 0.0);
        while let Some(next) = (0..events.len()).min_by(|a, b| events[*a].0.total_cmp(&events[*b].0)) {
            let (now, step) = events.swap_remove(next);
            match step {
                Step::Ask(waited) => match bucket.ask(now, flying, waited, random()) {
                    Turn::Go(brake) => {
                        flying += 1;
                        events.push((now + brake + random() * latency, Step::Arrive));
                    }
                    Turn::Wait(until) => events.push((until, Step::Ask(true))),
                },
                Step::Arrive => {
                    let current = (now / window) as i64;
                    if served.0 != current {
                        served = (current, 0);
                    }
                    if served.1 >= quota {
                        refused += 1;
                    } else {
                        served.1 += 1;
                    }
                    let reset = ((current + 1) as f64 * window - now).ceil();
                    events.push((now + random() * latency, Step::Answer(quota - served.1, reset)));
                }
                Step::Answer(left, reset) => {
                    flying -= 1;
                    last = now;
                    bucket.landed();
                    bucket.told(now, &told(left, reset, policy));
                    if asked < total {
                        asked += 1;
                        events.push((now, Step::Ask(false)));
                    }
                }
            }
        }
        (refused, last)
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
        #[test]
        fn no_request_is_sent_to_be_refused(
            quota in 5_i64..80, window in 2_u8..12, clients in 1_usize..60, latency in 0.0_f64..0.4, seed: u64
        ) {
            let total = (quota * 4) as usize + clients;
            let (refused, last) = simulated(quota, window.into(), clients, total, latency, seed);
            proptest::prop_assert_eq!(refused, 0);
            // And it ends: a rounded second per window, the slots of waiters, the brakes are what may be lost, beside the
            // time that few clients take where nothing limits them.
            let windows = total as f64 / quota as f64 + 1.0;
            let wake = clients as f64 * GAP * 1.6;
            let alone = total.div_ceil(clients) as f64 * latency * 2.0;
            let most = windows * (f64::from(window) + 1.5 + wake) * 2.0 + 10.0 + alone;
            proptest::prop_assert!(last < most, "{last}");
        }
    }
}
