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

/// A colour: light, blue, red.
pub type Colour = [u8; 3];

impl Picture {
    /// A black one.
    pub fn new(width: usize, height: usize) -> Self {
        let colour = width.div_ceil(2) * height.div_ceil(2);
        Self { width, height, planes: [vec![16; width * height], vec![128; colour], vec![128; colour]] }
    }

    /// Width and height of a plane.
    pub fn plane_size(&self, plane: usize) -> (usize, usize) {
        match plane {
            0 => (self.width, self.height),
            _ => (self.width.div_ceil(2), self.height.div_ceil(2)),
        }
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
