//! Who gets how much of a subscriber's line: one layer for each of its pictures, or none for now. Pure choice, no state.
//! Sound first and always; then every picture at its smallest, the most looked at first; then those larger, step by step.
//! Next: `consumer.rs` goes to its layer at the next key frame.

use std::cmp::Reverse;

/// A picture that a subscriber takes.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub weight: Weight,
    /// The layers it may have, from the smallest to the one that is wanted, with their bit/s now. Not empty.
    pub layers: Vec<(usize, u64)>,
    /// The layer it has now.
    pub current: Option<usize>,
}

/// How much a picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Drawn small.
    Small,
    Large,
    /// Text that is not sharp is useless.
    Screen,
}

/// To get a larger layer than now, this share in percent of what it costs more must be there: without a margin pictures
/// flap between two layers.
const UP_PERCENT: u64 = 115;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allocation {
    /// A layer for each wish, in their order. None: nothing for now.
    pub layers: Vec<Option<usize>>,
    /// What it takes to fulfil all wishes, in bit/s, sound and margins included.
    pub wanted: u64,
}

/// Spends `budget` bit/s, of which sound takes `audio`.
pub(crate) fn allocate(budget: u64, audio: u64, wishes: &[Wish]) -> Allocation {
    let mut left = budget.saturating_sub(audio);
    let mut steps: Vec<Option<usize>> = vec![None; wishes.len()];
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by_key(|n| Reverse(wishes[*n].weight));
    let mut take = |n: usize, step: usize, steps: &mut Vec<Option<usize>>| {
        let layers = &wishes[n].layers;
        let Some((_, cost)) = layers.get(step) else { return };
        let more = cost.saturating_sub(steps[n].map_or(0, |before| layers[before].1));
        let has = wishes[n].current.and_then(|current| layers.iter().position(|(layer, _)| *layer == current));
        let needed = if has.is_some_and(|has| step > has) { more * UP_PERCENT / 100 } else { more };
        if needed <= left {
            left = left.saturating_sub(more);
            steps[n] = Some(step);
        }
    };
    for n in &order {
        take(*n, 0, &mut steps);
    }
    for same in order.chunk_by(|a, b| wishes[*a].weight == wishes[*b].weight) {
        let most = same.iter().map(|n| wishes[*n].layers.len()).max().unwrap_or(0);
        for step in 1..most {
            for n in same {
                // Nobody skips a step, and who has nothing is not helped by something dearer.
                if steps[*n] == Some(step - 1) {
                    take(*n, step, &mut steps);
                }
            }
        }
    }
    let layers = steps.iter().zip(wishes).map(|(step, wish)| step.map(|step| wish.layers[step].0)).collect();
    let price = |(step, wish): (&Option<usize>, &Wish)| {
        let (_, cost) = wish.layers.last()?;
        let fulfilled = step.is_some_and(|step| step + 1 == wish.layers.len());
        Some(if fulfilled { *cost } else { cost * UP_PERCENT / 100 })
    };
    let wanted = audio + steps.iter().zip(wishes).filter_map(price).sum::<u64>();
    Allocation { layers, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [(usize, u64); 3] = [(2, 150), (1, 500), (0, 1_500)];

    /// `wishes` such as "L2 S1 X0": weight (Screen is X), and the current layer or `-`.
    /// Small pictures want their smallest layer only, screens have a single one of 800.
    fn check(budget: u64, wishes: &str, expected: &str) {
        let parse = |word: &str| {
            let current = word[1..].parse().ok();
            match &word[..1] {
                "S" => Wish { weight: Weight::Small, layers: LAYERS[..1].to_vec(), current },
                "X" => Wish { weight: Weight::Screen, layers: vec![(0, 800)], current },
                _ => Wish { weight: Weight::Large, layers: LAYERS.to_vec(), current },
            }
        };
        let wishes: Vec<Wish> = wishes.split_whitespace().map(parse).collect();
        let given = allocate(budget, 50, &wishes).layers;
        let given: Vec<String> = given.iter().map(|l| l.map_or("-".into(), |l| l.to_string())).collect();
        assert_eq!(given.join(" "), expected, "of {budget}");
    }

    #[test]
    fn with_enough_everyone_gets_what_is_wanted() {
        check(10_000, "L- L- S- X-", "0 0 2 0");
    }

    #[test]
    fn everyone_gets_something_before_anyone_gets_more() {
        check(50 + 450, "L- L- L-", "2 2 2");
        check(50 + 450 + 350, "L- L- L-", "1 2 2");
        check(50 + 1_500, "L- L- L-", "1 1 1");
    }

    #[test]
    fn the_screen_comes_first_and_small_pictures_last() {
        check(50 + 800, "S- L- X-", "- - 0");
        check(50 + 950, "S- L- X-", "- 2 0");
        check(50 + 1_100, "S- L- X-", "2 2 0");
        check(50 + 1_450, "S- L- X-", "2 1 0");
    }

    #[test]
    fn a_screen_that_does_not_fit_does_not_starve_the_faces() {
        check(50 + 700, "X- L-", "- 1");
    }

    #[test]
    fn going_up_takes_more_than_staying() {
        check(50 + 500, "L1", "1");
        check(50 + 500, "L2", "2");
        check(50 + 150 + 350 * 115 / 100, "L2", "1");
    }

    #[test]
    fn on_a_line_too_slow_for_pictures_sound_remains() {
        check(30, "L2 S2", "- -");
        assert_eq!(allocate(30, 50, &[]).wanted, 50);
    }

    #[test]
    fn what_all_wishes_take_is_told() {
        let wishes = [Wish { weight: Weight::Large, layers: LAYERS.to_vec(), current: None }];
        assert_eq!(allocate(5_000, 50, &wishes).wanted, 1_550);
        assert_eq!(allocate(1_600, 50, &wishes).wanted, 1_550);
        assert_eq!(allocate(1_500, 50, &wishes).wanted, 50 + 1_725, "with the margin it takes to go up");
    }
}
