//! Dates, times, instants and durations as Python and pandas write them.

use arrow_schema::TimeUnit;

use super::number::integer;

/// Days of the years 1 to 9999, which Python's dates have.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;
/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Ticks of a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Decimals of a second that a column is written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fraction {
    #[default]
    None,
    Millis,
    Micros,
    Nanos,
}

impl Fraction {
    /// What a count of ticks needs.
    pub(crate) fn of(ticks: i64, unit: TimeUnit) -> Self {
        let nanos = nanos(ticks, unit);
        if nanos == 0 {
            Self::None
        } else if nanos % 1_000_000 == 0 {
            Self::Millis
        } else if nanos % 1_000 == 0 {
            Self::Micros
        } else {
            Self::Nanos
        }
    }

    fn write(self, out: &mut Vec<u8>, nanos: i64) {
        let (value, width) = match self {
            Self::None => return,
            Self::Millis => (nanos / 1_000_000, 3),
            Self::Micros => (nanos / 1_000, 6),
            Self::Nanos => (nanos, 9),
        };
        out.push(b'.');
        padded(out, value, width);
    }
}

/// Nanoseconds behind the last whole second.
fn nanos(ticks: i64, unit: TimeUnit) -> i64 {
    let per = per_second(unit);
    ticks.rem_euclid(per) * (1_000_000_000 / per)
}

fn padded(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    out.resize(out.len() + width.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits.as_bytes());
}

/// `YYYY-MM-DD` of days since 1970; `false` if Python has no such date.
pub(crate) fn date(out: &mut Vec<u8>, days: i64) -> bool {
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return false;
    }
    // Howard Hinnant's `civil_from_days`: years begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    padded(out, year_of_era + era * 400 + i64::from(month <= 2), 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
    true
}

fn clock(out: &mut Vec<u8>, seconds: i64) {
    padded(out, seconds / 3_600, 2);
    out.push(b':');
    padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    padded(out, seconds % 60, 2);
}

/// `str` of a Python time: microseconds where there are some; `false` for nanoseconds and what is no time of a day.
pub(crate) fn time(out: &mut Vec<u8>, ticks: i64, unit: TimeUnit) -> bool {
    let seconds = ticks.div_euclid(per_second(unit));
    let nanos = nanos(ticks, unit);
    if !(0..DAY).contains(&seconds) || nanos % 1_000 != 0 {
        return false;
    }
    clock(out, seconds);
    if nanos != 0 {
        Fraction::Micros.write(out, nanos);
    }
    true
}

/// A zone without rules: seconds east of UTC, and its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offset {
    pub(crate) seconds: i64,
    pub(crate) text: String,
}

impl Offset {
    /// `UTC` and `±HH:MM`; others have rules.
    pub(crate) fn parse(zone: &str) -> Option<Self> {
        if zone == "UTC" {
            return Some(Self { seconds: 0, text: "+00:00".to_owned() });
        }
        let sign = match zone.get(..1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = zone.get(1..)?.split_once(':')?;
        let number = |text: &str| {
            (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i64>().ok())?
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let seconds = sign * (hours * 3_600 + minutes * 60);
        // Python writes -00:00 as +00:00 and has no offsets of a day.
        (hours < 24 && minutes < 60 && (seconds != 0 || sign > 0))
            .then(|| Self { seconds, text: zone.to_owned() })
    }
}

/// An instant as pandas writes it: `YYYY-MM-DD HH:MM:SS`, decimals, offset; `false` if Python has no such date.
pub(crate) fn instant(
    out: &mut Vec<u8>,
    ticks: i64,
    unit: TimeUnit,
    fraction: Fraction,
    offset: &Offset,
) -> bool {
    let seconds = ticks.div_euclid(per_second(unit)) + offset.seconds;
    if !date(out, seconds.div_euclid(DAY)) {
        return false;
    }
    out.push(b' ');
    clock(out, seconds.rem_euclid(DAY));
    fraction.write(out, nanos(ticks, unit));
    out.extend_from_slice(offset.text.as_bytes());
    true
}

/// A duration as pandas writes it: `N days`, and unless `whole_days` also `HH:MM:SS` and decimals.
pub(crate) fn duration(out: &mut Vec<u8>, ticks: i64, unit: TimeUnit, fraction: Fraction, whole_days: bool) {
    let seconds = ticks.div_euclid(per_second(unit));
    let days = seconds.div_euclid(DAY);
    integer(out, days);
    out.extend_from_slice(b" days");
    if whole_days {
        return;
    }
    out.push(b' ');
    if days < 0 {
        out.push(b'+');
    }
    clock(out, seconds.rem_euclid(DAY));
    fraction.write(out, nanos(ticks, unit));
}

/// Ticks in another unit, downwards, or towards zero; `None` past the numbers.
pub(crate) fn in_unit(ticks: i64, from: TimeUnit, to: TimeUnit, to_zero: bool) -> Option<i64> {
    let (from, to) = (per_second(from), per_second(to));
    if from < to {
        return ticks.checked_mul(to / from);
    }
    Some(if to_zero { ticks / (from / to) } else { ticks.div_euclid(from / to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>) -> bool) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn dates() {
        let cases = [(0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (LAST_DAY, "9999-12-31")];
        for (days, expected) in cases {
            assert_eq!(text(|o| date(o, days)).as_deref(), Some(expected));
        }
        assert_eq!(text(|o| date(o, FIRST_DAY)).as_deref(), Some("0001-01-01"));
        assert_eq!(text(|o| date(o, FIRST_DAY - 1)), None);
        assert_eq!(text(|o| date(o, LAST_DAY + 1)), None);
    }

    #[test]
    fn times_and_instants() {
        assert_eq!(text(|o| time(o, 3_723, TimeUnit::Second)).as_deref(), Some("01:02:03"));
        assert_eq!(text(|o| time(o, 5, TimeUnit::Millisecond)).as_deref(), Some("00:00:00.005000"));
        assert_eq!(text(|o| time(o, 5, TimeUnit::Nanosecond)), None);
        assert_eq!(text(|o| time(o, DAY, TimeUnit::Second)), None);
        let zone = Offset::parse("+02:30").unwrap_or_default();
        let written = text(|o| instant(o, -1, TimeUnit::Millisecond, Fraction::Millis, &zone));
        assert_eq!(written.as_deref(), Some("1970-01-01 02:29:59.999+02:30"));
        assert!(Offset::parse("Europe/Paris").is_none() && Offset::parse("+2:30").is_none());
        assert_eq!(Fraction::of(1_500, TimeUnit::Nanosecond), Fraction::Nanos);
        assert_eq!(Fraction::of(-1_000, TimeUnit::Microsecond), Fraction::Millis);
    }

    #[test]
    fn durations() {
        let written = |ticks, fraction, whole| {
            text(|o| {
                duration(o, ticks, TimeUnit::Millisecond, fraction, whole);
                true
            })
        };
        assert_eq!(written(-86_400_000, Fraction::None, true).as_deref(), Some("-1 days"));
        assert_eq!(written(-1, Fraction::Micros, false).as_deref(), Some("-1 days +23:59:59.999000"));
        assert_eq!(in_unit(-1, TimeUnit::Microsecond, TimeUnit::Millisecond, false), Some(-1));
        assert_eq!(in_unit(-1, TimeUnit::Microsecond, TimeUnit::Millisecond, true), Some(0));
        assert_eq!(in_unit(i64::MAX, TimeUnit::Second, TimeUnit::Millisecond, true), None);
    }
}
