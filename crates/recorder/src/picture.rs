//! Pictures as decoders have them: I420, a plane of light and two of colour at half the size. Pure.
//! Next: `canvas.rs`, which many are drawn on.

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Light, blue, red: rows without gaps.
    pub planes: [Vec<u8>; 3],
}

/// Why a frame is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshown {
    /// Nothing can be shown before the next key frame.
    Broken,
    /// Its pictures are of another kind: deeper, or with more colour.
    Kind,
}

/// A colour: light, blue, red.
pub type Colour = [u8; 3];

impl Picture {
    /// A black one.
    pub fn new(width: usize, height: usize) -> Self {
        let colour = width.div_ceil(2) * height.div_ceil(2);
        Self { width, height, planes: [vec![16; width * height], vec![128; colour], vec![128; colour]] }
    }

    /// One that lies elsewhere, copied; None if what is said of it cannot be.
    ///
    /// # Safety
    /// Each plane must have as many rows as the picture is high (half as many of colour), each as long as it is wide (or half of
    /// it), and a stride apart from the next.
    pub unsafe fn copied((width, height): (usize, usize), planes: [*const u8; 3], strides: [isize; 3]) -> Option<Self> {
        if width == 0 || height == 0 {
            return None;
        }
        let mut picture = Self::new(width, height);
        for plane in 0..3 {
            let (width, _) = picture.plane_size(plane);
            let (from, stride) = (planes[plane], strides[plane]);
            if from.is_null() || stride.unsigned_abs() < width {
                return None;
            }
            for (y, row) in (0..).zip(picture.planes[plane].chunks_exact_mut(width)) {
                // SAFETY: as the caller says.
                row.copy_from_slice(unsafe { std::slice::from_raw_parts(from.offset(y * stride), width) });
            }
        }
        Some(picture)
    }

    /// Width and height of a plane.
    pub fn plane_size(&self, plane: usize) -> (usize, usize) {
        match plane {
            0 => (self.width, self.height),
            _ => (self.width.div_ceil(2), self.height.div_ceil(2)),
        }
    }

    /// The same, halved until neither side is longer than `most`: each pixel the mean of four.
    pub fn no_larger_than(self, most: usize) -> Self {
        if self.width.max(self.height) <= most || self.width.min(self.height) < 4 {
            return self;
        }
        let mut half = Self::new(self.width / 4 * 2, self.height / 4 * 2);
        for plane in 0..3 {
            let ((from_width, _), (width, _)) = (self.plane_size(plane), half.plane_size(plane));
            let rows = self.planes[plane].chunks_exact(from_width);
            let pairs = rows.clone().step_by(2).zip(rows.skip(1).step_by(2));
            for (row, (above, below)) in half.planes[plane].chunks_exact_mut(width).zip(pairs) {
                let fours = above.chunks_exact(2).zip(below.chunks_exact(2));
                for (pixel, (above, below)) in row.iter_mut().zip(fours) {
                    let sum: u32 = above.iter().chain(below).map(|light| u32::from(*light)).sum();
                    *pixel = ((sum + 2) / 4) as u8;
                }
            }
        }
        half.no_larger_than(most)
    }

    /// The same, turned clockwise by so many quarters.
    pub fn turned(self, quarters: u8) -> Self {
        let quarters = quarters % 4;
        if quarters == 0 {
            return self;
        }
        let (width, height) = if quarters == 2 { (self.width, self.height) } else { (self.height, self.width) };
        let mut turned = Self::new(width, height);
        for plane in 0..3 {
            let (from_width, from_height) = self.plane_size(plane);
            let (to_width, _) = turned.plane_size(plane);
            let from = &self.planes[plane];
            for (at, pixel) in turned.planes[plane].iter_mut().enumerate() {
                let (x, y) = (at % to_width, at / to_width);
                let (from_x, from_y) = match quarters {
                    1 => (y, from_height - 1 - x),
                    2 => (from_width - 1 - x, from_height - 1 - y),
                    _ => (from_width - 1 - y, x),
                };
                *pixel = from[from_y * from_width + from_x];
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_halved() {
        let mut picture = Picture::new(10, 6);
        picture.planes[0] = (0..60).collect();
        assert_eq!(picture.clone().no_larger_than(10), picture);
        let half = picture.clone().no_larger_than(9);
        assert_eq!((half.width, half.height), (4, 2));
        assert_eq!(half.planes, [vec![6, 8, 10, 12, 26, 28, 30, 32], vec![128; 2], vec![128; 2]]);
        assert_eq!(picture.no_larger_than(1).width, 4, "what is small stays");
    }

    #[test]
    fn a_picture_is_turned_clockwise() {
        let mut picture = Picture::new(4, 2);
        picture.planes[0] = vec![1, 2, 3, 4, 5, 6, 7, 8];
        let light = |quarters| picture.clone().turned(quarters).planes[0].clone();
        assert_eq!(light(0), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(light(1), [5, 1, 6, 2, 7, 3, 8, 4]);
        assert_eq!(light(2), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(light(3), [4, 8, 3, 7, 2, 6, 1, 5]);
        assert_eq!(picture.clone().turned(1).plane_size(1), (1, 2));
    }
}
