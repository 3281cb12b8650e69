//! Shows a finished picture on both renderers: as a texture of our own on a GPU (the stock image widget shows nothing while
//! it uploads, so a picture that changes each frame never appears), as an image on the CPU. What is in the picture is made
//! elsewhere, at the screen's own pixels.

use iced::Rectangle;
use iced::advanced::image::{FilterMethod, Handle, Image, Renderer as _};
use iced::advanced::{Renderer as _, graphics::Viewport};
use iced::wgpu;
use iced_wgpu::primitive::{Pipeline, Primitive, Renderer as _};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells pictures on one screen apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PlaceId(u64);

impl PlaceId {
    /// A new one.
    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Draws a picture into `bounds`. `place` is the same for all pictures that follow each other there.
pub(crate) fn draw(renderer: &mut iced::Renderer, place: PlaceId, handle: &Handle, bounds: Rectangle) {
    match renderer {
        iced::Renderer::Primary(gpu) => gpu.draw_primitive(bounds, Shown { place, handle: handle.clone() }),
        iced::Renderer::Secondary(cpu) => {
            let image = Image::new(handle.clone()).filter_method(FilterMethod::Nearest).snap(true);
            cpu.with_layer(bounds, |cpu| cpu.draw_image(image, bounds, bounds));
        }
    }
}

/// A picture on its way to the GPU.
#[derive(Debug)]
struct Shown {
    place: PlaceId,
    handle: Handle,
}

/// A texture of each place.
struct Textures {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    places: HashMap<PlaceId, Slot>,
}

struct Slot {
    texture: wgpu::Texture,
    group: wgpu::BindGroup,
    /// Which picture is in it.
    shown: Option<iced::advanced::image::Id>,
    used: bool,
}

impl Textures {
    fn slot(&self, device: &wgpu::Device, width: u32, height: u32) -> Slot {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("tetherscope picture"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("tetherscope picture"),
            layout: &self.layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) }],
        });
        Slot { texture, group, shown: None, used: true }
    }
}

impl Pipeline for Textures {
    fn new(device: &wgpu::Device, _queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("tetherscope picture"),
            source: wgpu::ShaderSource::Wgsl(include_str!("picture.wgsl").into()),
        });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("tetherscope picture"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
                count: None,
            }],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("tetherscope picture"),
            bind_group_layouts: &[&layout],
            push_constant_ranges: &[],
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("tetherscope picture"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &shader,
                entry_point: Some("corner"),
                buffers: &[],
                compilation_options: wgpu::PipelineCompilationOptions::default(),
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &shader,
                entry_point: Some("pixel"),
                targets: &[Some(format.into())],
                compilation_options: wgpu::PipelineCompilationOptions::default(),
            }),
            multiview: None,
            cache: None,
        });
        Self { pipeline, layout, places: HashMap::new() }
    }

    fn trim(&mut self) {
        self.places.retain(|_, slot| std::mem::take(&mut slot.used));
    }
}

impl Primitive for Shown {
    type Pipeline = Textures;

    fn prepare(
        &self,
        textures: &mut Textures,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _bounds: &Rectangle,
        _viewport: &Viewport,
    ) {
        let Handle::Rgba { id, width, height, pixels } = &self.handle else { return };
        let (width, height) = (*width, *height);
        let fits = |s: &Slot| s.texture.width() == width && s.texture.height() == height;
        if !textures.places.get(&self.place).is_some_and(fits) {
            let slot = textures.slot(device, width, height);
            textures.places.insert(self.place, slot);
        }
        let Some(slot) = textures.places.get_mut(&self.place) else { return };
        slot.used = true;
        if slot.shown == Some(*id) {
            return;
        }
        slot.shown = Some(*id);
        queue.write_texture(
            slot.texture.as_image_copy(),
            pixels,
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width), rows_per_image: Some(height) },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
    }

    fn draw(&self, textures: &Textures, pass: &mut wgpu::RenderPass<'_>) -> bool {
        if let Some(slot) = textures.places.get(&self.place) {
            pass.set_pipeline(&textures.pipeline);
            pass.set_bind_group(0, &slot.group, &[]);
            pass.draw(0..3, 0..1);
        }
        true
    }
}
