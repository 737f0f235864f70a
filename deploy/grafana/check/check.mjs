// Checks ../holdfast.json against the types of @grafana/schema: the dashboard
// against Dashboard, the options of each panel and what is custom of its fields
// against those of the panel's kind. Prints what is wrong; exit code 1.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = dirname(fileURLToPath(import.meta.url));
const file = process.argv[2] ?? join(here, "..", "holdfast.json");
const dashboard = JSON.parse(readFileSync(file, "utf8"));

// The kinds of panels there are, and where their types stand.
const kinds = {
  timeseries: ["timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen", true],
  stat: ["stat/panelcfg/x/StatPanelCfg_types.gen", false],
  table: ["table/panelcfg/x/TablePanelCfg_types.gen", false],
  heatmap: ["heatmap/panelcfg/x/HeatmapPanelCfg_types.gen", false],
  "state-timeline": ["statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen", true],
};

// JSON has no enums: where a type wants one, its values do.
const lines = [
  'import type { Dashboard, Panel, RowPanel } from "@grafana/schema";',
  "type Loose<T> = T extends string ? `${T}` : T extends (infer E)[] ? Loose<E>[] : T extends object ? { [K in keyof T]: Loose<T[K]> } : T;",
];
let n = 0;
for (const [kind, [path, fields]] of Object.entries(kinds)) {
  const id = kind.replace(/\W/g, "_");
  lines.push(`import type { Options as ${id}Options${fields ? `, FieldConfig as ${id}Fields` : ""} } from "@grafana/schema/dist/esm/raw/composable/${path}";`);
}
const literal = (type, value) => lines.push(`const x${n++} = ${JSON.stringify(value)} satisfies Loose<${type}>;`);
const { panels, ...rest } = dashboard;
literal("Dashboard", { ...rest, id: undefined });
for (const panel of panels) {
  if (panel.type === "row") {
    literal("RowPanel", panel);
    continue;
  }
  if (!kinds[panel.type]) {
    console.error(`panel ${panel.title}: the check does not know the kind ${panel.type}`);
    process.exit(1);
  }
  const id = panel.type.replace(/\W/g, "_");
  literal("Panel", panel);
  literal(`Partial<${id}Options>`, panel.options ?? {});
  if (kinds[panel.type][1]) literal(`Partial<${id}Fields>`, panel.fieldConfig.defaults.custom ?? {});
}

const dir = mkdtempSync(join(here, "check-"));
try {
  const source = join(dir, "dashboard.ts");
  writeFileSync(source, lines.join("\n") + "\n");
  const program = ts.createProgram([source], { strict: true, noEmit: true, skipLibCheck: true, types: [], module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022 });
  const wrong = ts.getPreEmitDiagnostics(program);
  for (const d of wrong) console.error(ts.flattenDiagnosticMessageText(d.messageText, "\n"));
  if (wrong.length === 0) console.log(`${panels.length} panels are as @grafana/schema ${JSON.parse(readFileSync(join(here, "node_modules/@grafana/schema/package.json"), "utf8")).version} has them`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true });
}
