// The type of a saved dashboard: @grafana/schema, and the types that it leaves open.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfig, Panel, RowPanel } from "@grafana/schema";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as timeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** A type as JSON has it: the members of an enum are their values. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

/** The package has no types of the Prometheus data source; these are the fields that it reads. */
interface Query extends DataQuery {
  expr: string;
  instant?: boolean;
  range?: boolean;
  format?: "time_series" | "table" | "heatmap";
  legendFormat?: string;
  interval?: string;
}

/** The data source reads these fields too. Before Grafana 12 it read `expr` and `step` here. */
interface Annotation extends AnnotationQuery<Query> {
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
}

type Fields = Omit<FieldConfig, "custom">;

/** A setting of single fields: that of Grafana by its name, that of the plugin with `custom.` before it. */
type Setting<Custom> =
  | { [Name in keyof Fields]-?: { id: Name; value: Exclude<Fields[Name], undefined> } }[keyof Fields]
  | { [Name in keyof Custom & string]-?: { id: `custom.${Name}`; value: Exclude<Custom[Name], undefined> } }[keyof Custom & string]
  /** A column that is not shown: up to Grafana 12, and since. */
  | { id: "custom.hidden" | "custom.hideFrom.viz"; value: boolean };

/** A panel with the options and fields of its own plugin, which the package leaves open in a dashboard. */
type PanelOf<Type extends string, Options, Custom> = Omit<Panel, "type" | "options" | "targets" | "fieldConfig"> & {
  type: Type;
  options: Options;
  targets: Query[];
  fieldConfig: {
    defaults: Fields & { custom?: Custom };
    overrides: { matcher: { id: "byName" | "byFrameRefID"; options: string }; properties: Setting<Custom>[] }[];
  };
};

type Except<T, Name extends keyof T> = Omit<T, Name> & Partial<Pick<T, Name>>;

/** As before Grafana 11, which adds the newer options by itself. */
type OlderStat = Except<stat.Options, "percentChangeColorMode" | "showPercentChange" | "wideLayout">;

/** As before Grafana 10.3, which turns `show` into a mode when it loads the panel. */
type OlderHeatmap = Omit<heatmap.Options, "tooltip"> & { tooltip: { show: boolean; yHistogram?: boolean } };

type DashboardPanel =
  | PanelOf<"heatmap", OlderHeatmap, heatmap.FieldConfig>
  | PanelOf<"stat", OlderStat, never>
  | PanelOf<"state-timeline", timeline.Options, timeline.FieldConfig>
  | PanelOf<"table", table.Options, table.FieldConfig>
  | PanelOf<"timeseries", timeseries.Options, timeseries.FieldConfig>;

type TypedDashboard = Omit<Dashboard, "annotations" | "panels"> & {
  annotations: { list: Annotation[] };
  panels: (DashboardPanel | (Omit<RowPanel, "panels"> & { panels: DashboardPanel[] }))[];
};

export type Saved = Json<TypedDashboard>;
export type SavedByAnyone = Json<Dashboard>;
