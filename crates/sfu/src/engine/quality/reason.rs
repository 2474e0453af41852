//! Why a subscriber gets the layer it gets, in words for people who look after calls. Pure.

use str0m::media::Rid;

use crate::engine::layers::{Candidate, Grant, Known, choose};
use crate::engine::payload::ids::ALL_LAYERS;

/// What the choice was made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    pub layers: &'a [Known],
    pub wanted: Option<Rid>,
    pub grant: Grant,
    /// What the line carries, in bit/s.
    pub estimate: Option<u64>,
    pub current: Option<usize>,
    /// The layer whose key frame is waited for.
    pub awaited: Option<usize>,
}

/// Such as `the half-size layer: the line carries 600 kbit/s`.
pub(crate) fn of(choice: &Choice<'_>) -> String {
    let layers = choice.layers;
    if layers.is_empty() {
        return "nothing came from the publisher yet".to_owned();
    }
    let line = || match choice.estimate {
        Some(estimate) => format!("the line carries {} kbit/s", estimate / 1_000),
        None => "the line carries too little".to_owned(),
    };
    if choice.grant == Grant::Nothing {
        return format!("nothing: {}", line());
    }
    let candidates: Vec<Candidate> = layers
        .iter()
        .map(|l| Candidate { rid: l.rid, rank: l.rank, alive: l.sent && l.beyond.is_none(), stream: 0, spatial: ALL_LAYERS })
        .collect();
    let Some(best) = choose(&candidates, choice.wanted) else {
        let beyond = layers.iter().filter(|l| l.sent).find_map(|l| l.beyond);
        return beyond.map_or_else(|| "nothing comes from the publisher".to_owned(), |beyond| format!("nothing: {beyond}"));
    };
    let target = match choice.grant {
        Grant::UpTo(most) if layers.get(most).is_some_and(|l| l.rank > layers[best].rank) => most,
        _ => best,
    };
    let why = if target != best { line() } else { why(choice, best) };
    let goes_to = format!("{}: {why}", name(&layers[target]));
    match (choice.current, choice.awaited) {
        (Some(current), Some(_)) if current != target => {
            format!("{} until a key frame of the next one; then {goes_to}", layers.get(current).map_or("another layer", name))
        }
        (None, Some(_)) => format!("waits for a key frame; then {goes_to}"),
        _ => goes_to,
    }
}

fn why(choice: &Choice<'_>, best: usize) -> String {
    let chosen = &choice.layers[best];
    let Some(wanted) = choice.wanted else {
        let better = choice.layers.iter().find(|l| l.rank < chosen.rank && l.sent && l.beyond.is_some());
        return better.and_then(|l| l.beyond).map_or_else(|| "the best that comes".to_owned(), |beyond| beyond.to_string());
    };
    if chosen.rid.is_none() {
        return "it comes in one size".to_owned();
    }
    if chosen.rid == Some(wanted) {
        return format!("{} was asked for", &*wanted);
    }
    match choice.layers.iter().find(|l| l.rid == Some(wanted)) {
        Some(Known { sent: true, beyond: Some(beyond), .. }) => format!("of {} {beyond}", &*wanted),
        _ => format!("{} is not sent by the publisher", &*wanted),
    }
}

fn name(layer: &Known) -> &'static str {
    match layer.rid.as_deref() {
        None => "the only layer",
        Some("f") => "the full-size layer",
        Some("h") => "the half-size layer",
        Some("q") => "the quarter-size layer",
        Some(_) => "a layer with a name of its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cap::Cap;
    use crate::engine::layers::Rank;

    /// `layers` such as "f h! q^": `!` is not sent, `^` is beyond what is allowed.
    fn check(layers: &str, wanted: &str, grant: Grant, current: Option<usize>, expected: &str) {
        let beyond = Cap { size: Some((320, 240)), ..Cap::default() }.size_beyond((1280, 720));
        let layers: Vec<Known> = layers
            .split_whitespace()
            .map(|word| {
                let rid = word.trim_end_matches(['!', '^']);
                Known {
                    rid: (rid != "-").then(|| Rid::from(rid)),
                    rank: Rank::of(rid),
                    sent: !word.ends_with('!'),
                    beyond: beyond.filter(|_| word.ends_with('^')),
                }
            })
            .collect();
        let wanted = (!wanted.is_empty()).then(|| Rid::from(wanted));
        let awaited = current.is_none().then_some(0);
        let choice = Choice { layers: &layers, wanted, grant, estimate: Some(600_999), current, awaited };
        assert_eq!(of(&choice), expected);
    }

    #[test]
    fn each_reason_has_its_words() {
        check("", "f", Grant::Any, None, "nothing came from the publisher yet");
        check("f! h!", "f", Grant::Any, Some(0), "nothing comes from the publisher");
        check("f h q", "q", Grant::Any, Some(2), "the quarter-size layer: q was asked for");
        check("f h", "q", Grant::Any, Some(1), "the half-size layer: q is not sent by the publisher");
        check("f h q", "", Grant::Any, Some(0), "the full-size layer: the best that comes");
        check("-", "f", Grant::Any, Some(0), "the only layer: it comes in one size");
        check("f h q", "f", Grant::UpTo(1), Some(1), "the half-size layer: the line carries 600 kbit/s");
        check("f h q", "q", Grant::UpTo(0), Some(2), "the quarter-size layer: q was asked for");
        check("f h q", "f", Grant::Nothing, None, "nothing: the line carries 600 kbit/s");
        check("f h", "f", Grant::Any, None, "waits for a key frame; then the full-size layer: f was asked for");
    }

    #[test]
    fn what_the_preset_does_not_allow_is_said() {
        let much = "1280x720 is more than the preset allows (320x240)";
        check("f^ h q", "f", Grant::Any, Some(1), &format!("the half-size layer: of f {much}"));
        check("f^ h q", "", Grant::Any, Some(1), &format!("the half-size layer: {much}"));
        check("-^", "f", Grant::Any, None, &format!("nothing: {much}"));
    }
}
