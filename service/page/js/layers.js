export const layersView = { name: "layers", title: "Layers", hint: "", open: (body) => ({ refresh: async () => body.replaceChildren("soon") }) };
