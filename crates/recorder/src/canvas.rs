//! What many pictures are drawn on: scaling, letters, frames, a mark over all. Pure; colours are light, blue and red.
//! Invariant: nothing is drawn outside the place that is named.
//! Next: `scene.rs`, which says what goes where.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::layout::Place;
use crate::picture::{Colour, Picture};

pub const BLACK: Colour = [20, 128, 128];
pub const WHITE: Colour = [235, 128, 128];
/// Around who speaks.
pub const GREEN: Colour = [150, 90, 70];

/// Height of a letter, in pixels, before it is scaled.
const LETTER: usize = 24;

/// How a picture is fitted into its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The place is full; what does not fit is cut off.
    Cover,
    /// The picture is whole; the rest of the place is dark.
    Contain,
}

/// A part of a plane.
#[derive(Clone, Copy)]
struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

pub fn fill(canvas: &mut Picture, place: Place, colour: Colour) {
    for (plane, colour) in colour.into_iter().enumerate() {
        let part = part(place, plane);
        let (stride, _) = canvas.plane_size(plane);
        for row in canvas.planes[plane].chunks_exact_mut(stride).skip(part.y).take(part.height) {
            row[part.x..part.x + part.width].fill(colour);
        }
    }
}

/// Draws a picture into a place.
pub fn draw(canvas: &mut Picture, place: Place, picture: &Picture, fit: Fit) {
    if picture.width < 2 || picture.height < 2 || place.width < 2 || place.height < 2 {
        return;
    }
    let Place { width, height, .. } = place;
    let is_wider = picture.width * height > picture.height * width;
    let whole = Part { x: 0, y: 0, width: picture.width, height: picture.height };
    let (from, to) = match fit {
        Fit::Cover if is_wider => {
            let cut = (picture.height * width / height).clamp(2, picture.width);
            (Part { x: half(picture.width - cut), width: cut, ..whole }, place)
        }
        Fit::Cover => {
            let cut = (picture.width * height / width).clamp(2, picture.height);
            (Part { y: half(picture.height - cut), height: cut, ..whole }, place)
        }
        Fit::Contain => {
            fill(canvas, place, BLACK);
            let (wide, high) = match is_wider {
                true => (width, (picture.height * width / picture.width).max(2) & !1),
                false => ((picture.width * height / picture.height).max(2) & !1, height),
            };
            let (x, y) = (place.x + half(width - wide), place.y + half(height - high));
            (whole, Place { x, y, width: wide, height: high })
        }
    };
    for plane in 0..3 {
        let (to_stride, _) = canvas.plane_size(plane);
        let (from_stride, from_rows) = picture.plane_size(plane);
        let shift = usize::from(plane > 0);
        let from = Part {
            x: from.x >> shift,
            y: from.y >> shift,
            width: (from.width >> shift).clamp(1, from_stride - (from.x >> shift)),
            height: (from.height >> shift).clamp(1, from_rows - (from.y >> shift)),
        };
        scale((&mut canvas.planes[plane], to_stride, part(to, plane)), (&picture.planes[plane], from_stride, from));
    }
}

/// Half of a length, as an even number.
fn half(length: usize) -> usize {
    (length / 2) & !1
}

fn part(place: Place, plane: usize) -> Part {
    let shift = usize::from(plane > 0);
    Part { x: place.x >> shift, y: place.y >> shift, width: place.width >> shift, height: place.height >> shift }
}

/// Scales a part of one plane into a part of another, between the four nearest pixels.
fn scale((to, to_stride, to_part): (&mut [u8], usize, Part), (from, from_stride, from_part): (&[u8], usize, Part)) {
    let rows = to.chunks_exact_mut(to_stride).skip(to_part.y).take(to_part.height);
    if (to_part.width, to_part.height) == (from_part.width, from_part.height) {
        for (n, row) in rows.enumerate() {
            let start = (from_part.y + n) * from_stride + from_part.x;
            row[to_part.x..to_part.x + to_part.width].copy_from_slice(&from[start..start + from_part.width]);
        }
        return;
    }
    // Positions in 256ths of a pixel, at the middle of each.
    let spots = |to: usize, from: usize| {
        (0..to).map(move |n| {
            let at = ((2 * n + 1) * from * 128 / to).saturating_sub(128).min((from - 1) * 256);
            (at >> 8, ((at >> 8) + 1).min(from - 1), (at & 255) as u32)
        })
    };
    let columns: Vec<(usize, usize, u32)> = spots(to_part.width, from_part.width).collect();
    for (row, (above, below, down)) in rows.zip(spots(to_part.height, from_part.height)) {
        let line = |n: usize| &from[(from_part.y + n) * from_stride + from_part.x..][..from_part.width];
        let (above, below) = (line(above), line(below));
        for (pixel, (left, right, across)) in row[to_part.x..to_part.x + to_part.width].iter_mut().zip(&columns) {
            let mix = |line: &[u8]| u32::from(line[*left]) * (256 - across) + u32::from(line[*right]) * across;
            *pixel = ((mix(above) * (256 - down) + mix(below) * down) >> 16) as u8;
        }
    }
}

/// Draws a frame along the inner edge of a place.
pub fn frame(canvas: &mut Picture, place: Place, thickness: usize, colour: Colour) {
    let thickness = (thickness & !1).min(half(place.width)).min(half(place.height));
    let Place { x, y, width, height } = place;
    for edge in [
        Place { height: thickness, ..place },
        Place { y: y + height - thickness, height: thickness, ..place },
        Place { width: thickness, ..place },
        Place { x: x + width - thickness, width: thickness, ..place },
    ] {
        debug_assert!(edge.x >= x && edge.x + edge.width <= x + width);
        fill(canvas, edge, colour);
    }
}

/// The width of a text that is so high.
pub fn text_width(text: &str, height: usize) -> usize {
    text.chars().count() * letter_width(height)
}

fn letter_width(height: usize) -> usize {
    (get_raster_width(FontWeight::Regular, RasterHeight::Size24) * height / LETTER).max(1)
}

/// Writes as much of a text as fits into a place, from its left, so high. Letters that the font does not have are dots.
pub fn write(canvas: &mut Picture, place: Place, height: usize, text: &str, colour: Colour) {
    let (width, height) = (letter_width(height), height.min(place.height));
    let (stride, _) = canvas.plane_size(0);
    for (n, letter) in text.chars().take(place.width / width).enumerate() {
        let known = |letter| get_raster(letter, FontWeight::Regular, RasterHeight::Size24);
        let Some(glyph) = known(letter).or_else(|| known('\u{b7}')) else { continue };
        let raster = glyph.raster();
        for y in 0..height {
            let row = &mut canvas.planes[0][(place.y + y) * stride + place.x + n * width..][..width];
            let line = raster[y * raster.len() / height];
            for (x, pixel) in row.iter_mut().enumerate() {
                let ink = u32::from(line[x * line.len() / width]);
                *pixel = ((u32::from(*pixel) * (255 - ink) + u32::from(colour[0]) * ink) / 255) as u8;
            }
        }
    }
}

/// A picture with holes: what lies over all others.
#[derive(Clone, Debug)]
pub struct Mark {
    picture: Picture,
    /// How much of each pixel of light is there, of 255.
    alpha: Vec<u8>,
}

impl Mark {
    /// Of rows of red, green, blue and alpha. None if there are too few of them.
    pub fn from_rgba(width: usize, height: usize, rgba: &[u8]) -> Option<Self> {
        let (width, height, stride) = (width & !1, height & !1, width * 4);
        if width == 0 || height == 0 || rgba.len() < stride * height {
            return None;
        }
        let mut picture = Picture::new(width, height);
        let mut alpha = vec![0; width * height];
        for (y, row) in rgba.chunks_exact(stride).take(height).enumerate() {
            for (x, pixel) in row.chunks_exact(4).take(width).enumerate() {
                let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
                alpha[y * width + x] = pixel[3];
                // BT.601, as video of this size is.
                picture.planes[0][y * width + x] = (16.0 + 0.257 * red + 0.504 * green + 0.098 * blue) as u8;
                if x % 2 == 0 && y % 2 == 0 {
                    let at = y / 2 * (width / 2) + x / 2;
                    picture.planes[1][at] = (128.0 - 0.148 * red - 0.291 * green + 0.439 * blue) as u8;
                    picture.planes[2][at] = (128.0 + 0.439 * red - 0.368 * green - 0.071 * blue) as u8;
                }
            }
        }
        Some(Self { picture, alpha })
    }

    pub fn size(&self) -> (usize, usize) {
        (self.picture.width, self.picture.height)
    }

    /// Lays it over a canvas, its left top corner here. What would be outside is not drawn.
    pub fn lay(&self, canvas: &mut Picture, (x, y): (usize, usize)) {
        let (x, y) = (x & !1, y & !1);
        for plane in 0..3 {
            let shift = usize::from(plane > 0);
            let (width, height) = self.picture.plane_size(plane);
            let (stride, rows) = canvas.plane_size(plane);
            let (left, top) = (x >> shift, y >> shift);
            for row in 0..height.min(rows.saturating_sub(top)) {
                for column in 0..width.min(stride.saturating_sub(left)) {
                    let alpha = u32::from(self.alpha[(row << shift) * self.picture.width + (column << shift)]);
                    let pixel = &mut canvas.planes[plane][(top + row) * stride + left + column];
                    let over = u32::from(self.picture.planes[plane][row * width + column]);
                    *pixel = ((u32::from(*pixel) * (255 - alpha) + over * alpha) / 255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { x: 8, y: 4, width: 16, height: 8 };

    fn light(canvas: &Picture, x: usize, y: usize) -> u8 {
        canvas.planes[0][y * canvas.width + x]
    }

    /// Left half 50, right half 200.
    fn halves(width: usize, height: usize) -> Picture {
        let mut picture = Picture::new(width, height);
        for (at, pixel) in picture.planes[0].iter_mut().enumerate() {
            *pixel = if at % width < width / 2 { 50 } else { 200 };
        }
        picture
    }

    fn outside_is_black(canvas: &Picture) {
        for y in 0..canvas.height {
            for x in 0..canvas.width {
                let inside = (8..24).contains(&x) && (4..12).contains(&y);
                assert!(inside || light(canvas, x, y) == 16, "{x} {y}");
            }
        }
    }

    #[test]
    fn pictures_of_any_size_stay_in_their_place() {
        for (width, height) in [(16, 8), (2, 2), (640, 360), (3, 100), (101, 7), (17, 9)] {
            for fit in [Fit::Cover, Fit::Contain] {
                let mut canvas = Picture::new(40, 20);
                draw(&mut canvas, PLACE, &halves(width, height), fit);
                outside_is_black(&canvas);
                if width >= 2 * height / 3 && fit == Fit::Cover {
                    assert_eq!((light(&canvas, 9, 8), light(&canvas, 22, 8)), (50, 200), "{width}x{height}");
                }
            }
        }
    }

    #[test]
    fn a_screen_is_shown_whole_and_a_camera_fills_its_place() {
        let mut canvas = Picture::new(40, 20);
        draw(&mut canvas, PLACE, &halves(8, 8), Fit::Contain);
        assert_eq!([8, 11, 12, 15, 16, 19, 20].map(|x| light(&canvas, x, 6)), [20, 20, 50, 50, 200, 200, 20]);
        draw(&mut canvas, PLACE, &halves(8, 8), Fit::Cover);
        assert_eq!([8, 14, 17, 23].map(|x| light(&canvas, x, 6)), [50, 50, 200, 200]);
    }

    #[test]
    fn letters_are_written_in_their_place_and_those_without_a_shape_are_dots() {
        let written = |text: &str| {
            let mut canvas = Picture::new(200, 40);
            write(&mut canvas, Place { x: 10, y: 8, width: 100, height: 24 }, 24, text, WHITE);
            let lit: Vec<usize> = (0..canvas.planes[0].len()).filter(|at| canvas.planes[0][*at] > 100).collect();
            assert!(lit.iter().all(|at| (10..110).contains(&(at % 200)) && (8..32).contains(&(at / 200))));
            canvas
        };
        assert_ne!(written("A"), written("B"));
        assert_ne!(written("Zoë"), written("Zoe"));
        assert_eq!(written("\u{1f600}"), written("\u{b7}"));
        written(&"W".repeat(500));
    }

    #[test]
    fn a_mark_is_laid_over_as_far_as_it_is_there() {
        let rgba = [[255, 255, 255, 255], [255, 255, 255, 0]].concat().repeat(4);
        let mark = Mark::from_rgba(4, 2, &rgba).unwrap();
        let mut canvas = Picture::new(8, 8);
        mark.lay(&mut canvas, (2, 2));
        assert_eq!([2, 3, 4, 5].map(|x| light(&canvas, x, 3)), [235, 16, 235, 16]);
        mark.lay(&mut canvas, (6, 7));
        assert!(Mark::from_rgba(4, 4, &rgba).is_none());
    }
}
