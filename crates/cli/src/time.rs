//! Times as people type them, and as tools print them.

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day since 1970-01-01; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `yyyy-MM-dd HH:mm:ss:SSS` in UTC, as the performance tools print times.
pub fn format_ms(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}:{:03}", of_day % 1_000)
}

/// `Sun Nov 22 09:30:15 UTC 2026`, as Java prints a date.
pub fn java_date(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000);
    let (year, month, day) = civil_from_days(days);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days.rem_euclid(7) as usize];
    let month = MONTHS[month as usize - 1];
    let seconds = ms.rem_euclid(86_400_000) / 1_000;
    format!("{weekday} {month} {day:02} {:02}:{:02}:{:02} UTC {year}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `9:30:15 AM`
fn twelve_hours(ms: i64) -> String {
    let seconds = ms.rem_euclid(86_400_000) / 1_000;
    let (hour, half) = (seconds / 3_600 % 12, if seconds < 43_200 { "AM" } else { "PM" });
    format!("{}:{:02}:{:02} {half}", if hour == 0 { 12 } else { hour }, seconds / 60 % 60, seconds % 60)
}

/// `11/22/26, 9:30:15 AM UTC`, as Java prints a short date and a long time in English.
pub fn java_short_date(ms: i64) -> String {
    let (year, month, day) = civil_from_days(ms.div_euclid(86_400_000));
    format!("{month}/{day}/{:02}, {} UTC", year.rem_euclid(100), twelve_hours(ms))
}

/// `Nov 22, 2026, 9:30:15 AM`, as Java prints a date and time of medium length in English.
pub fn java_medium_date(ms: i64) -> String {
    let (year, month, day) = civil_from_days(ms.div_euclid(86_400_000));
    format!("{} {day}, {year}, {}", MONTHS[month as usize - 1], twelve_hours(ms))
}

/// `2026-11-22T09:30:00.000`, with or without milliseconds and an offset (`Z`, `+01:00`, `+0100`); without one it is UTC.
pub fn parse_datetime(text: &str) -> Result<i64, String> {
    parse(text).ok_or_else(|| {
        format!("{text}: this must be a time such as 2026-11-22T09:30:00.000 or 2026-11-22T09:30:00.000+01:00")
    })
}

fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let (time, offset_minutes) = split_zone(rest)?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let millis: i64 = format!("{millis:0<3}").get(..3)?.parse().ok()?;
    let mut time = time.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute) = (time.next()?.ok()?, time.next()?.ok()?);
    let second = time.next().unwrap_or(Ok(0)).ok()?;
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..61).contains(&second)
        && (0..10_000).contains(&year);
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    valid.then_some(seconds * 1_000 + millis)
}

/// The time without its zone, and the zone's minutes east of Greenwich.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, zone) = text.split_at(at);
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    Some((time, sign * (hours * 60 + minutes)))
}

/// An ISO 8601 duration such as `P1DT2H30M` in milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let bad = || format!("{text}: this must be a duration such as P1D, PT2H30M or PT45S");
    let body = text.strip_prefix('P').filter(|body| !body.is_empty()).ok_or_else(bad)?;
    let (date, time) = body.split_once('T').unwrap_or((body, ""));
    let date_ms = parts(date, &[('D', 86_400_000), ('W', 604_800_000)]).ok_or_else(bad)?;
    let time_ms = parts(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)]).ok_or_else(bad)?;
    date_ms.checked_add(time_ms).ok_or_else(bad)
}

fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0i64;
    while !text.is_empty() {
        let at = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (_, unit_ms) = units.iter().find(|(unit, _)| text[at..].starts_with(*unit))?;
        total = total.checked_add(text[..at].parse::<i64>().ok()?.checked_mul(*unit_ms)?)?;
        text = &text[at + 1..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse_datetime("1970-01-01T00:00:00.000"), Ok(0));
        assert_eq!(parse_datetime("2026-11-22T09:30:15.250"), Ok(1_795_339_815_250));
        assert_eq!(parse_datetime("2026-11-22T10:30:15.250+01:00"), Ok(1_795_339_815_250));
        assert_eq!(parse_datetime("2026-11-22T09:30:15Z"), Ok(1_795_339_815_000));
        assert!(parse_datetime("yesterday").is_err() && parse_datetime("2026-13-01T00:00:00").is_err());
        assert_eq!(format_ms(1_795_339_815_250), "2026-11-22 09:30:15:250");
        assert_eq!(java_date(1_795_339_815_250), "Sun Nov 22 09:30:15 UTC 2026");
        assert_eq!(java_short_date(1_795_339_815_250), "11/22/26, 9:30:15 AM UTC");
        assert_eq!(java_short_date(951_782_400_000), "2/29/00, 12:00:00 AM UTC");
        assert_eq!(java_medium_date(1_795_352_135_000), "Nov 22, 2026, 12:55:35 PM");
        assert_eq!(java_date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(format_ms(951_782_400_000), "2000-02-29 00:00:00:000");
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration_ms("P1DT2H30M"), Ok(86_400_000 + 9_000_000));
        assert_eq!(parse_duration_ms("PT45S"), Ok(45_000));
        assert!(parse_duration_ms("45").is_err() && parse_duration_ms("P").is_err());
    }
}
