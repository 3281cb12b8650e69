// A picture, pixel by pixel over the whole viewport; no filter, no colour conversion.
@group(0) @binding(0) var picture: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) place: vec2<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    // One triangle that covers the viewport.
    let at = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    var out: Corner;
    out.position = vec4<f32>(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
    out.place = at;
    return out;
}

@fragment
fn pixel(in: Corner) -> @location(0) vec4<f32> {
    let size = textureDimensions(picture);
    let at = min(vec2<u32>(in.place * vec2<f32>(size)), size - vec2<u32>(1u, 1u));
    return textureLoad(picture, vec2<i32>(at), 0);
}
