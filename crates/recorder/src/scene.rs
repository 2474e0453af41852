//! What is to be seen: who is there, their latest pictures, and the canvas they are drawn on as the layout says.
//! Pure. Invariant: only what has changed is drawn again.
//! Next: `layout.rs`, who is where, and `canvas.rs`, how it is drawn.

use std::collections::BTreeMap;

use crate::canvas::{self, BLACK, Fit, GREEN, Mark, WHITE};
use crate::job::{Layout, Position};
use crate::layout::{Place, Shown, arrange};
use crate::picture::{Colour, Picture};

/// Behind the initials of people without a picture.
const COLOURS: [Colour; 6] = [[78, 150, 118], [84, 120, 150], [90, 110, 112], [72, 140, 140], [96, 118, 136], [70, 134, 104]];

/// From the edge of the picture to a mark, in pixels.
const MARGIN: usize = 16;

pub struct Scene {
    canvas: Picture,
    layout: Layout,
    mark: Option<Mark>,
    position: Position,
    people: BTreeMap<String, Member>,
    /// Counts arrivals.
    came: u64,
    /// Who spoke, the latest first.
    spoke: Vec<String>,
    tiles: Vec<Tile>,
    /// Somebody came, left, or is to be somewhere else.
    unsettled: bool,
}

#[derive(Debug, Default)]
struct Member {
    name: String,
    came: u64,
    is_shown: bool,
    camera: Option<Picture>,
    /// The screen that is shown, from when its sharing is known, and when that was.
    screen: Option<(u64, Option<Picture>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tile {
    peer: String,
    is_screen: bool,
    place: Place,
    is_new: bool,
}

impl Scene {
    pub fn new(width: usize, height: usize, layout: Layout) -> Self {
        Self {
            canvas: Picture::new(width, height),
            layout,
            mark: None,
            position: Position::default(),
            people: BTreeMap::new(),
            came: 0,
            spoke: Vec::new(),
            tiles: Vec::new(),
            unsettled: true,
        }
    }

    pub fn lay_over(&mut self, mark: Mark, position: Position) {
        (self.mark, self.position) = (Some(mark), position);
    }

    /// Somebody is there, and shown with those who are on stage.
    pub fn person(&mut self, peer: &str, name: &str, is_shown: bool) {
        self.came += 1;
        let came = self.came;
        let member = self.people.entry(peer.to_owned()).or_insert_with(|| Member { came, ..Member::default() });
        if member.name != name || member.is_shown != is_shown {
            (member.name, member.is_shown) = (name.to_owned(), is_shown);
            self.unsettled = true;
        }
    }

    pub fn left(&mut self, peer: &str) {
        self.unsettled |= self.people.remove(peer).is_some();
        self.spoke.retain(|one| one != peer);
    }

    /// A picture of a camera; None once it is off.
    pub fn camera(&mut self, peer: &str, picture: Option<Picture>) {
        let Some(member) = self.people.get_mut(peer) else { return };
        if member.camera.is_none() && picture.is_none() {
            return;
        }
        member.camera = picture;
        self.changed(peer, false);
    }

    /// A screen is shared, and this is its picture as soon as there is one.
    pub fn screen(&mut self, peer: &str, picture: Option<Picture>) {
        self.came += 1;
        let Some(member) = self.people.get_mut(peer) else { return };
        match &mut member.screen {
            Some((_, shown)) => *shown = picture,
            None => {
                member.screen = Some((self.came, picture));
                self.unsettled = true;
            }
        }
        self.changed(peer, true);
    }

    pub fn screen_off(&mut self, peer: &str) {
        let Some(member) = self.people.get_mut(peer) else { return };
        self.unsettled |= member.screen.take().is_some();
    }

    fn changed(&mut self, peer: &str, is_screen: bool) {
        let same = |tile: &&mut Tile| tile.peer == peer && tile.is_screen == is_screen;
        self.tiles.iter_mut().filter(same).for_each(|tile| tile.is_new = true);
    }

    /// These are heard now, the loudest first.
    pub fn speaking(&mut self, peers: &[&str]) {
        let Some(first) = peers.iter().find(|peer| self.people.contains_key(**peer)) else { return };
        if self.spoke.first().is_some_and(|spoke| spoke == first) {
            return;
        }
        let before = self.spoke.first().cloned();
        self.spoke.retain(|peer| peer != first);
        self.spoke.insert(0, (*first).to_owned());
        for peer in before.iter().map(String::as_str).chain([*first]) {
            self.changed(peer, false);
        }
        self.unsettled = true;
    }

    /// How large a camera or screen is shown; None if it is not.
    pub fn shown(&mut self, peer: &str, is_screen: bool) -> Option<Place> {
        self.settle();
        self.tiles.iter().find(|tile| tile.peer == peer && tile.is_screen == is_screen).map(|tile| tile.place)
    }

    fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let mut people: Vec<(&String, &Member)> = self.people.iter().filter(|(_, member)| member.is_shown).collect();
        people.sort_by_key(|(_, member)| member.came);
        let mut screens: Vec<(&String, u64)> =
            self.people.iter().filter_map(|(peer, member)| Some((peer, member.screen.as_ref()?.0))).collect();
        screens.sort_by_key(|(_, came)| *came);
        let spoke: Vec<usize> =
            self.spoke.iter().filter_map(|peer| people.iter().position(|(other, _)| *other == peer)).collect();
        let size = (self.canvas.width, self.canvas.height);
        let arranged = arrange(size, self.layout, people.len(), screens.len(), &spoke);
        let tile = |(shown, place)| {
            let (peer, is_screen) = match shown {
                Shown::Person(n) => (people[n].0.clone(), false),
                Shown::Screen(n) => (screens[n].0.clone(), true),
            };
            Tile { peer, is_screen, place, is_new: true }
        };
        let tiles: Vec<Tile> = arranged.into_iter().map(tile).collect();
        let places = |tiles: &[Tile]| tiles.iter().map(|tile| tile.place).collect::<Vec<_>>();
        if places(&tiles) != places(&self.tiles) {
            let whole = Place { x: 0, y: 0, width: size.0, height: size.1 };
            canvas::fill(&mut self.canvas, whole, BLACK);
        }
        self.tiles = tiles;
    }

    /// The picture as it is now.
    pub fn draw(&mut self) -> Picture {
        self.settle();
        let several = self.tiles.len() > 1;
        for tile in self.tiles.iter_mut().filter(|tile| tile.is_new) {
            tile.is_new = false;
            let Some(member) = self.people.get(&tile.peer) else { continue };
            let picture = if tile.is_screen {
                member.screen.as_ref().and_then(|(_, shown)| shown.as_ref())
            } else {
                member.camera.as_ref()
            };
            match picture {
                Some(picture) if tile.is_screen => canvas::draw(&mut self.canvas, tile.place, picture, Fit::Contain),
                Some(picture) => canvas::draw(&mut self.canvas, tile.place, picture, Fit::Cover),
                None if tile.is_screen => canvas::fill(&mut self.canvas, tile.place, BLACK),
                None => initials(&mut self.canvas, tile.place, &tile.peer, &member.name),
            }
            label(&mut self.canvas, tile.place, &member.name);
            let speaks = several && !tile.is_screen && self.spoke.first() == Some(&tile.peer);
            let (thickness, colour) = if speaks { (4, GREEN) } else { (2, BLACK) };
            if several {
                canvas::frame(&mut self.canvas, tile.place, thickness, colour);
            }
        }
        let mut picture = self.canvas.clone();
        if let Some(mark) = &self.mark {
            let (width, height) = mark.size();
            let (right, bottom) = (picture.width.saturating_sub(width + MARGIN), picture.height.saturating_sub(height + MARGIN));
            let corner = match self.position {
                Position::LeftTop => (MARGIN, MARGIN),
                Position::RightTop => (right, MARGIN),
                Position::LeftBottom => (MARGIN, bottom),
                Position::RightBottom => (right, bottom),
            };
            mark.lay(&mut picture, corner);
        }
        picture
    }
}

/// Somebody without a picture.
fn initials(canvas: &mut Picture, place: Place, peer: &str, name: &str) {
    let number = peer.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    canvas::fill(canvas, place, COLOURS[number % COLOURS.len()]);
    let words = name.split_whitespace();
    let text: String = words.filter_map(|word| word.chars().next()).take(2).flat_map(char::to_uppercase).take(4).collect();
    let height = (place.height / 3).clamp(12, 192);
    let width = canvas::text_width(&text, height).min(place.width);
    let (x, y) = (place.x + (place.width - width) / 2, place.y + (place.height.saturating_sub(height)) / 2);
    canvas::write(canvas, Place { x, y, width, height: height.min(place.height) }, height, &text, WHITE);
}

/// What somebody is called, in a corner of their place.
fn label(canvas: &mut Picture, place: Place, name: &str) {
    let height = (place.height / 14).clamp(14, 28) & !1;
    let most = place.width.saturating_sub(24) & !1;
    let width = (canvas::text_width(name, height) + 8).next_multiple_of(2).min(most);
    if name.is_empty() || width < 16 || place.height < 3 * height {
        return;
    }
    let under = Place { x: place.x + 8, y: place.y + place.height - height - 8, width, height };
    canvas::fill(canvas, under, BLACK);
    canvas::write(canvas, Place { x: under.x + 4, width: width - 8, ..under }, height, name, WHITE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(light: u8) -> Picture {
        let mut picture = Picture::new(64, 36);
        picture.planes[0].fill(light);
        picture
    }

    fn light(picture: &Picture, x: usize, y: usize) -> u8 {
        picture.planes[0][y * picture.width + x]
    }

    fn two() -> Scene {
        let mut scene = Scene::new(640, 360, Layout::Grid);
        scene.person("a", "Ana Lima", true);
        scene.person("b", "Bo", true);
        scene.person("v", "Viewer", false);
        scene
    }

    #[test]
    fn those_on_stage_are_shown_with_their_pictures_or_initials() {
        let mut scene = two();
        let empty = scene.draw();
        assert_eq!(light(&empty, 5, 5), BLACK[0]);
        scene.camera("a", Some(plain(200)));
        scene.camera("v", Some(plain(90)));
        let drawn = scene.draw();
        assert_eq!((light(&drawn, 160, 140), light(&drawn, 320 + 20, 110)), (200, light(&empty, 340, 110)));
        assert_ne!(drawn, empty);
        scene.camera("a", None);
        assert_eq!(scene.draw(), empty, "the camera is off again");
        assert!(scene.shown("v", false).is_none());
    }

    #[test]
    fn who_leaves_is_gone_and_a_screen_comes_first() {
        let mut scene = two();
        scene.camera("b", Some(plain(180)));
        scene.screen("a", None);
        assert_eq!(scene.shown("a", true).unwrap().width, 512);
        scene.screen("a", Some(plain(70)));
        let drawn = scene.draw();
        assert_eq!((light(&drawn, 256, 180), light(&drawn, 576, 250)), (70, 180));
        scene.screen_off("a");
        scene.left("a");
        let drawn = scene.draw();
        assert_eq!((light(&drawn, 320, 180), light(&drawn, 20, 20)), (180, 180), "one alone has everything");
        scene.left("b");
        assert_eq!(light(&scene.draw(), 320, 180), BLACK[0]);
    }

    #[test]
    fn who_speaks_has_a_frame() {
        let mut scene = two();
        scene.camera("a", Some(plain(200)));
        let before = scene.draw();
        scene.speaking(&["nobody", "a"]);
        let drawn = scene.draw();
        let Place { x, y, .. } = scene.shown("a", false).unwrap();
        assert_eq!((light(&before, x + 1, y + 1), light(&drawn, x + 1, y + 1)), (BLACK[0], GREEN[0]));
        scene.speaking(&["b"]);
        assert_eq!(light(&scene.draw(), x + 1, y + 1), BLACK[0]);
    }

    #[test]
    fn a_mark_lies_over_everything_in_its_corner() {
        let mut scene = two();
        scene.lay_over(Mark::from_rgba(8, 8, &[255; 256]).unwrap(), Position::RightBottom);
        let drawn = scene.draw();
        assert!(light(&drawn, 640 - MARGIN - 2, 360 - MARGIN - 2) > 230);
        scene.draw();
        assert!(light(&scene.canvas, 640 - MARGIN - 2, 360 - MARGIN - 2) < 230, "and leaves no trace below");
    }

    #[test]
    fn names_of_all_kinds_fit_everywhere() {
        for (width, height) in [(2, 2), (64, 36), (640, 360), (720, 1280)] {
            for name in ["", " ", "a", "ßß ßß", "\u{1f600} \u{5b57}", &"long ".repeat(100)] {
                for people in 0..6 {
                    let mut scene = Scene::new(width, height, Layout::Speaker);
                    (0..people).for_each(|n| scene.person(&n.to_string(), name, true));
                    scene.draw();
                }
            }
        }
    }
}
