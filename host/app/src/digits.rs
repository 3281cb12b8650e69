//! Digits and a point as a few pixels, for labels that are painted into pictures. Anything else that is asked for is left
//! out; words are drawn by whoever has a font.

/// Height of a digit in its own pixels; it is 3 wide, and the next one begins after 4.
pub(crate) const HEIGHT: i64 = 5;
/// From one digit to the next.
pub(crate) const ADVANCE: i64 = 4;

/// 3 wide and 5 high; the highest bit of a row is its left pixel. The last one is the point.
const GLYPHS: [[u8; 5]; 11] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
    [0b000, 0b000, 0b000, 0b000, 0b010],
];

/// Calls `dot` for each pixel of `text`, whose top-left pixel is (x, y), each of its pixels a square of side `scale`.
pub(crate) fn write(text: &str, mut x: i64, y: i64, scale: i64, mut dot: impl FnMut(i64, i64)) {
    for c in text.chars() {
        let glyph = if c == '.' { Some(10) } else { c.to_digit(10) };
        let Some(rows) = glyph.and_then(|g| GLYPHS.get(g as usize)) else { continue };
        for (v, row) in (0..).zip(rows) {
            for u in (0..3).filter(|u| row >> (2 - u) & 1 == 1) {
                for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                    dot(x + i64::from(u) * scale + dx, y + v * scale + dy);
                }
            }
        }
        x += ADVANCE * scale;
    }
}
