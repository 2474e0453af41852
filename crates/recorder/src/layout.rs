//! Who is where and how large: a pure function of who is there, whose screen is shown, and who speaks.
//! Invariant: places lie within the picture, have even numbers, and do not overlap.
//! Next: `scene.rs`, which draws into them.

use crate::job::Layout;

/// People that are shown at once in a grid, and beside something large.
const IN_GRID: usize = 16;
const BESIDE: usize = 5;
/// Screens that are shown at once.
const SCREENS: usize = 2;

/// A part of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

/// What is shown in a place: by its number in the lists that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Person(usize),
    Screen(usize),
}

/// Arranges `people` people, in the order in which they came, and `screens` screens, the latest last. `spoke` are people,
/// the latest speaker first: they have places before others, and the first is the speaker.
pub fn arrange(
    (width, height): (usize, usize),
    layout: Layout,
    people: usize,
    screens: usize,
    spoke: &[usize],
) -> Vec<(Shown, Place)> {
    let whole = Place { x: 0, y: 0, width, height };
    let portrait = height > width;
    if screens > 0 {
        let large: Vec<Shown> = (screens.saturating_sub(SCREENS)..screens).map(Shown::Screen).collect();
        return beside(whole, portrait, &large, &chosen(people, spoke, BESIDE));
    }
    if layout == Layout::Speaker && people > 1 {
        let speaker = spoke.first().copied().filter(|speaker| *speaker < people).unwrap_or(0);
        let others: Vec<usize> = chosen(people, spoke, BESIDE + 1).into_iter().filter(|person| *person != speaker).collect();
        return beside(whole, portrait, &[Shown::Person(speaker)], &others[..others.len().min(BESIDE)]);
    }
    let chosen = chosen(people, spoke, IN_GRID);
    let places = grid(whole, chosen.len(), portrait);
    chosen.into_iter().map(Shown::Person).zip(places).collect()
}

/// Who is shown if not all can be: those who spoke last, in the order in which they came.
fn chosen(people: usize, spoke: &[usize], most: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = spoke.iter().copied().filter(|person| *person < people).chain(0..people).collect();
    let mut seen = std::collections::BTreeSet::new();
    chosen.retain(|person| seen.insert(*person));
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}

/// Something large with a row of people beside it, or below it if the picture is higher than wide.
fn beside(whole: Place, portrait: bool, large: &[Shown], people: &[usize]) -> Vec<(Shown, Place)> {
    let Place { width, height, .. } = whole;
    let (main, row) = match (people.is_empty(), portrait) {
        (true, _) => (whole, whole),
        (false, false) => {
            let strip = even(width / 5);
            (Place { width: width - strip, ..whole }, Place { x: width - strip, width: strip, ..whole })
        }
        (false, true) => {
            let strip = even(height / 5);
            (Place { height: height - strip, ..whole }, Place { y: height - strip, height: strip, ..whole })
        }
    };
    let mut places: Vec<(Shown, Place)> = large.iter().copied().zip(split(main, large.len(), true)).collect();
    let row = if people.is_empty() { Vec::new() } else { split(row, people.len(), !portrait) };
    let cells = row.into_iter().map(|cell| within(cell, portrait));
    places.extend(people.iter().copied().map(Shown::Person).zip(cells));
    places
}

/// A part in equal parts, below each other or side by side.
fn split(whole: Place, count: usize, below: bool) -> Vec<Place> {
    let count = count.max(1);
    let part = |n: usize, length: usize| even(length * n / count);
    (0..count)
        .map(|n| match below {
            true => {
                let (from, to) = (part(n, whole.height), part(n + 1, whole.height));
                Place { y: whole.y + from, height: to - from, ..whole }
            }
            false => {
                let (from, to) = (part(n, whole.width), part(n + 1, whole.width));
                Place { x: whole.x + from, width: to - from, ..whole }
            }
        })
        .collect()
}

/// Equal places of a camera's form, as large as possible; the last row is in the middle.
fn grid(whole: Place, count: usize, portrait: bool) -> Vec<Place> {
    let cell = |columns: usize| {
        let rows = count.div_ceil(columns);
        within(Place { x: 0, y: 0, width: whole.width / columns, height: whole.height / rows }, portrait)
    };
    // Of equals, along the longer side.
    let better = |columns: &usize| (cell(*columns).width, if portrait { count - columns } else { *columns });
    let Some(columns) = (1..=count).max_by_key(better) else { return Vec::new() };
    let (size, rows) = (cell(columns), count.div_ceil(columns));
    let top = (whole.height - size.height * rows) / 2;
    (0..count)
        .map(|n| {
            let (row, column) = (n / columns, n % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            let left = (whole.width - size.width * in_row) / 2;
            let (x, y) = (whole.x + even(left) + column * size.width, whole.y + even(top) + row * size.height);
            Place { x, y, width: size.width, height: size.height }
        })
        .collect()
}

/// The largest place of a camera's form in the middle of another: 16:9, or 3:4 in a picture that is higher than wide.
fn within(place: Place, portrait: bool) -> Place {
    let (wide, high) = if portrait { (3, 4) } else { (16, 9) };
    let width = even(place.width.min(place.height * wide / high));
    let height = even((width * high / wide).min(place.height));
    let (x, y) = (place.x + even((place.width - width) / 2), place.y + even((place.height - height) / 2));
    Place { x, y, width, height }
}

fn even(length: usize) -> usize {
    length & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(size: (usize, usize), layout: Layout, people: usize, screens: usize, spoke: &[usize]) -> Vec<String> {
        let arranged = arrange(size, layout, people, screens, spoke);
        let tell = |(shown, Place { x, y, width, height }): &(Shown, Place)| {
            let who = match shown {
                Shown::Person(n) => format!("p{n}"),
                Shown::Screen(n) => format!("s{n}"),
            };
            format!("{who} {width}x{height}+{x}+{y}")
        };
        arranged.iter().map(tell).collect()
    }

    const WIDE: (usize, usize) = (1280, 720);
    const HIGH: (usize, usize) = (720, 1280);

    #[test]
    fn grids_are_as_large_as_can_be() {
        let grid = |count| told(WIDE, Layout::Grid, count, 0, &[]);
        assert_eq!(grid(0), [""; 0]);
        assert_eq!(grid(1), ["p0 1280x720+0+0"]);
        assert_eq!(grid(2), ["p0 640x360+0+180", "p1 640x360+640+180"]);
        assert_eq!(grid(3), ["p0 640x360+0+0", "p1 640x360+640+0", "p2 640x360+320+360"]);
        assert_eq!(grid(4), ["p0 640x360+0+0", "p1 640x360+640+0", "p2 640x360+0+360", "p3 640x360+640+360"]);
        assert_eq!(grid(9)[8], "p8 426x238+852+478");
        assert_eq!(told(HIGH, Layout::Grid, 2, 0, &[]), ["p0 480x640+120+0", "p1 480x640+120+640"]);
    }

    #[test]
    fn a_screen_is_large_and_those_who_spoke_are_beside_it() {
        let with_screen = told(WIDE, Layout::Grid, 7, 1, &[6, 1]);
        let wanted = ["s0 1024x720+0+0", "p0 256x144+1024+0", "p1 256x144+1024+144", "p2 256x144+1024+288"];
        assert_eq!(with_screen[..4], wanted);
        assert_eq!(with_screen[4..], ["p3 256x144+1024+432", "p6 256x144+1024+576"]);
        assert_eq!(told(WIDE, Layout::Grid, 0, 1, &[]), ["s0 1280x720+0+0"]);
        assert_eq!(told(WIDE, Layout::Speaker, 1, 3, &[])[..2], ["s1 1024x360+0+0", "s2 1024x360+0+360"]);
        assert_eq!(told(HIGH, Layout::Grid, 1, 1, &[]), ["s0 720x1024+0+0", "p0 192x256+264+1024"]);
    }

    #[test]
    fn the_speaker_is_large() {
        assert_eq!(told(WIDE, Layout::Speaker, 1, 0, &[]), ["p0 1280x720+0+0"]);
        let speaker = told(WIDE, Layout::Speaker, 3, 0, &[2]);
        assert_eq!(speaker, ["p2 1024x720+0+0", "p0 256x144+1024+108", "p1 256x144+1024+468"]);
        assert_eq!(told(WIDE, Layout::Speaker, 2, 0, &[9])[0], "p0 1024x720+0+0", "nobody spoke who is still here");
    }

    #[test]
    fn places_never_overlap_nor_leave_the_picture() {
        for size in [WIDE, HIGH, (640, 640), (2, 2), (1920, 200)] {
            for layout in [Layout::Grid, Layout::Speaker] {
                for (people, screens) in (0..40).flat_map(|people| (0..4).map(move |screens| (people, screens))) {
                    let places = arrange(size, layout, people, screens, &[people / 2, 0]);
                    for (n, (_, a)) in places.iter().enumerate() {
                        assert!(a.x + a.width <= size.0 && a.y + a.height <= size.1, "{a:?} in {size:?}");
                        assert!([a.x, a.y, a.width, a.height].iter().all(|length| length % 2 == 0), "{a:?}");
                        for (_, b) in &places[..n] {
                            let apart = a.x >= b.x + b.width || b.x >= a.x + a.width;
                            assert!(apart || a.y >= b.y + b.height || b.y >= a.y + a.height, "{a:?} {b:?}");
                        }
                    }
                }
            }
        }
    }
}
