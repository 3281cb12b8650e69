//! A picture in memory to draw boxes, dots and small text on: beads on a frame, a Z-LUT with its bias, results of a
//! comparison. It decides nothing and writes no file.

/// Side of a pixel of the letters.
const SCALE: i64 = 2;
/// From one letter to the next.
pub const LETTER_PX: i64 = 4 * SCALE;
/// From one line of text to the next.
pub const LINE_PX: i64 = 7 * SCALE;
/// Height of the letters.
pub const TEXT_PX: i64 = 5 * SCALE;

/// Letters 3 wide and 5 high: rows from the top, three bits each, the highest is the left pixel.
const GLYPHS: &[(char, [u8; 5])] = &[
    ('0', [0b111, 0b101, 0b101, 0b101, 0b111]),
    ('1', [0b010, 0b110, 0b010, 0b010, 0b111]),
    ('2', [0b111, 0b001, 0b111, 0b100, 0b111]),
    ('3', [0b111, 0b001, 0b111, 0b001, 0b111]),
    ('4', [0b101, 0b101, 0b111, 0b001, 0b001]),
    ('5', [0b111, 0b100, 0b111, 0b001, 0b111]),
    ('6', [0b111, 0b100, 0b111, 0b101, 0b111]),
    ('7', [0b111, 0b001, 0b010, 0b010, 0b010]),
    ('8', [0b111, 0b101, 0b111, 0b101, 0b111]),
    ('9', [0b111, 0b101, 0b111, 0b001, 0b111]),
    ('.', [0, 0, 0, 0, 0b010]),
    ('-', [0, 0, 0b111, 0, 0]),
    ('+', [0, 0b010, 0b111, 0b010, 0]),
    ('/', [0b001, 0b001, 0b010, 0b100, 0b100]),
    (':', [0, 0b010, 0, 0b010, 0]),
    (';', [0, 0b010, 0, 0b010, 0b100]),
    (',', [0, 0, 0, 0b010, 0b100]),
    ('%', [0b101, 0b001, 0b010, 0b100, 0b101]),
    ('A', [0b010, 0b101, 0b111, 0b101, 0b101]),
    ('B', [0b110, 0b101, 0b110, 0b101, 0b110]),
    ('C', [0b011, 0b100, 0b100, 0b100, 0b011]),
    ('D', [0b110, 0b101, 0b101, 0b101, 0b110]),
    ('E', [0b111, 0b100, 0b110, 0b100, 0b111]),
    ('F', [0b111, 0b100, 0b110, 0b100, 0b100]),
    ('G', [0b011, 0b100, 0b101, 0b101, 0b011]),
    ('H', [0b101, 0b101, 0b111, 0b101, 0b101]),
    ('I', [0b111, 0b010, 0b010, 0b010, 0b111]),
    ('J', [0b001, 0b001, 0b001, 0b101, 0b010]),
    ('K', [0b101, 0b101, 0b110, 0b101, 0b101]),
    ('L', [0b100, 0b100, 0b100, 0b100, 0b111]),
    ('M', [0b101, 0b111, 0b111, 0b101, 0b101]),
    ('N', [0b110, 0b101, 0b101, 0b101, 0b101]),
    ('O', [0b010, 0b101, 0b101, 0b101, 0b010]),
    ('P', [0b110, 0b101, 0b110, 0b100, 0b100]),
    ('Q', [0b010, 0b101, 0b101, 0b111, 0b011]),
    ('R', [0b110, 0b101, 0b110, 0b101, 0b101]),
    ('S', [0b011, 0b100, 0b010, 0b001, 0b110]),
    ('T', [0b111, 0b010, 0b010, 0b010, 0b010]),
    ('U', [0b101, 0b101, 0b101, 0b101, 0b111]),
    ('V', [0b101, 0b101, 0b101, 0b101, 0b010]),
    ('W', [0b101, 0b101, 0b111, 0b111, 0b101]),
    ('X', [0b101, 0b101, 0b010, 0b101, 0b101]),
    ('Y', [0b101, 0b101, 0b010, 0b010, 0b010]),
    ('Z', [0b111, 0b001, 0b010, 0b100, 0b111]),
];

/// A picture: red, green and blue, row by row. Whatever lies outside is not drawn.
pub struct Canvas {
    width: i64,
    height: i64,
    rgb: Vec<u8>,
}

impl Canvas {
    /// A picture of one colour.
    pub fn filled(width: i64, height: i64, color: [u8; 3]) -> Self {
        Self { width, height, rgb: color.repeat((width * height) as usize) }
    }

    /// A picture on top of another, three bytes a pixel.
    pub fn on(width: i64, height: i64, rgb: Vec<u8>) -> Self {
        assert!(rgb.len() as i64 == 3 * width * height, "{} bytes for {width} × {height} px", rgb.len());
        Self { width, height, rgb }
    }

    /// Width and height.
    pub fn size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    /// Three bytes a pixel.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// One pixel.
    pub fn dot(&mut self, x: i64, y: i64, color: [u8; 3]) {
        if (0..self.width).contains(&x) && (0..self.height).contains(&y) {
            let at = 3 * (y * self.width + x) as usize;
            self.rgb[at..at + 3].copy_from_slice(&color);
        }
    }

    /// A filled rectangle.
    pub fn fill(&mut self, x: i64, y: i64, w: i64, h: i64, color: [u8; 3]) {
        for v in y..y + h {
            (x..x + w).for_each(|u| self.dot(u, v, color));
        }
    }

    /// The outermost pixels of a square.
    pub fn frame(&mut self, x: i64, y: i64, side: i64, color: [u8; 3]) {
        for i in 0..side {
            for (px, py) in [(x + i, y), (x + i, y + side - 1), (x, y + i), (x + side - 1, y + i)] {
                self.dot(px, py, color);
            }
        }
    }

    /// Text, in capitals; what has no letter is a blank.
    pub fn text(&mut self, mut x: i64, y: i64, text: &str, color: [u8; 3]) {
        for c in text.chars().map(|c| c.to_ascii_uppercase()) {
            if let Some((_, rows)) = GLYPHS.iter().find(|(g, _)| *g == c) {
                for (v, row) in (0..).zip(rows) {
                    for u in (0..3).filter(|u| row >> (2 - u) & 1 == 1) {
                        self.fill(x + i64::from(u) * SCALE, y + v * SCALE, SCALE, SCALE, color);
                    }
                }
            }
            x += LETTER_PX;
        }
    }
}
