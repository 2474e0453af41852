//! Which layer of a producer a consumer should get. Pure choice, no state.
//! The web SDK names layers f (full), h (half) and q (quarter) and may ask for one that was never sent.
//! Next: `consumer.rs` goes to the chosen layer at its next key frame.

use str0m::media::Rid;

use crate::cap::Beyond;

/// How good a layer is: 0 is the best. Also orders names nobody sends, as an asked-for layer may not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(pub u8);

impl Rank {
    /// The rank of a rid. Names other than f, h and q count as better than none of them.
    pub(crate) fn of(rid: &str) -> Self {
        match rid {
            "f" => Self(0),
            "h" => Self(1),
            "q" => Self(2),
            _ => Self(3),
        }
    }
}

/// What the choice is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// None for a producer without simulcast.
    pub rid: Option<Rid>,
    pub rank: Rank,
    pub alive: bool,
    /// The layer that stands for its stream: itself, unless one stream has several spatial layers.
    pub stream: usize,
    /// The highest spatial layer it has, `ALL_LAYERS` for the best of its stream.
    pub spatial: u8,
}

/// What is known of one layer of a producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub rid: Option<Rid>,
    pub rank: Rank,
    /// Packets come.
    pub sent: bool,
    pub beyond: Option<Beyond>,
}

/// What the subscriber's line allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Nothing is known of the line.
    Any,
    /// No better than this layer.
    UpTo(usize),
    /// Not even the smallest.
    Nothing,
}

/// The wanted layer if it is alive; else never better than asked; else the lowest there is. None if all are dead.
/// Without a wish the best one.
pub(crate) fn choose(layers: &[Candidate], wanted: Option<Rid>) -> Option<usize> {
    let alive = || layers.iter().enumerate().filter(|(_, l)| l.alive);
    let Some(wanted) = wanted else {
        return alive().min_by_key(|(_, l)| l.rank).map(|(i, _)| i);
    };
    let asked = Rank::of(&wanted);
    alive()
        .find(|(_, l)| l.rid == Some(wanted))
        .or_else(|| alive().filter(|(_, l)| l.rank >= asked).min_by_key(|(_, l)| l.rank))
        .or_else(|| alive().max_by_key(|(_, l)| l.rank))
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::super::payload::ids::ALL_LAYERS;
    use super::*;

    /// `layers` such as "f h! q": the ones with a mark are dead.
    fn check(layers: &str, wanted: &str, expected: &str) {
        let names: Vec<&str> = layers.split_whitespace().collect();
        let candidates: Vec<Candidate> = names
            .iter()
            .enumerate()
            .map(|(stream, name)| {
                let rid = name.trim_end_matches('!');
                let alive = !name.ends_with('!');
                let rank = Rank::of(rid);
                Candidate { rid: (rid != "-").then(|| Rid::from(rid)), rank, alive, stream, spatial: ALL_LAYERS }
            })
            .collect();
        let wanted = (!wanted.is_empty()).then(|| Rid::from(wanted));
        let chosen = choose(&candidates, wanted).map_or("", |i| names[i]);
        assert_eq!(chosen, expected, "of {layers}");
    }

    #[test]
    fn the_wanted_layer_if_alive() {
        check("f h q", "f", "f");
        check("f h q", "h", "h");
        check("f h q", "q", "q");
    }

    #[test]
    fn never_better_than_asked() {
        check("f! h q", "f", "h");
        check("f! h! q", "f", "q");
        check("f h! q", "h", "q");
    }

    #[test]
    fn else_the_lowest_there_is() {
        check("f h", "q", "h");
        check("f h!", "q", "f");
        check("f h! q!", "h", "f");
    }

    #[test]
    fn without_a_wish_the_best() {
        check("q h f", "", "f");
        check("q h f!", "", "h");
    }

    #[test]
    fn nothing_alive_is_no_choice() {
        check("f! h!", "f", "");
        check("", "f", "");
    }

    #[test]
    fn a_producer_without_simulcast_has_one_layer() {
        check("-", "f", "-");
        check("-", "q", "-");
        check("-", "", "-");
    }
}
