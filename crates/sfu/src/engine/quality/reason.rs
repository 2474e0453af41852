//! Why a subscriber gets the layer it gets. Pure.
//! Next: `crate::quality::reason`, what can be said and its words.

use str0m::media::Rid;

use crate::engine::layers::{Candidate, Grant, Known, choose};
use crate::engine::payload::ids::ALL_LAYERS;
use crate::quality::{Because, Goes, Reason};

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

pub(crate) fn of(choice: &Choice<'_>) -> Reason {
    let layers = choice.layers;
    if layers.is_empty() {
        return Reason::nothing(Because::NothingYet);
    }
    let line = Because::Line { carries: choice.estimate };
    if choice.grant == Grant::Nothing {
        return Reason::nothing(line);
    }
    let candidates: Vec<Candidate> = layers
        .iter()
        .map(|l| Candidate { rid: l.rid, rank: l.rank, alive: l.sent && l.beyond.is_none(), stream: 0, spatial: ALL_LAYERS })
        .collect();
    let Some(best) = choose(&candidates, choice.wanted) else {
        let beyond = layers.iter().filter(|l| l.sent).find_map(|l| l.beyond);
        return Reason::nothing(beyond.map_or(Because::NothingSent, |beyond| Because::NotAllowed { asked: None, beyond }));
    };
    let target = match choice.grant {
        Grant::UpTo(most) if layers.get(most).is_some_and(|l| l.rank > layers[best].rank) => most,
        _ => best,
    };
    let because = if target != best { line } else { why(choice, best) };
    let layer = name(&layers[target]).into();
    let goes = match (choice.current, choice.awaited) {
        (Some(current), Some(_)) if current != target => {
            Goes::After { current: layers.get(current).map_or("another layer", name).into(), layer }
        }
        (None, Some(_)) => Goes::Waits { layer },
        _ => Goes::Out { layer },
    };
    Reason { because, goes }
}

fn why(choice: &Choice<'_>, best: usize) -> Because {
    let chosen = &choice.layers[best];
    let Some(wanted) = choice.wanted else {
        let better = choice.layers.iter().find(|l| l.rank < chosen.rank && l.sent && l.beyond.is_some());
        let beyond = better.and_then(|l| l.beyond);
        return beyond.map_or(Because::Best, |beyond| Because::NotAllowed { asked: None, beyond });
    };
    if chosen.rid.is_none() {
        return Because::OneSize;
    }
    let asked = (*wanted).to_owned();
    if chosen.rid == Some(wanted) {
        return Because::AskedFor(asked);
    }
    match choice.layers.iter().find(|l| l.rid == Some(wanted)) {
        Some(Known { sent: true, beyond: Some(beyond), .. }) => Because::NotAllowed { asked: Some(asked), beyond: *beyond },
        _ => Because::NotSent(asked),
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
        assert_eq!(of(&choice).to_string(), expected);
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
