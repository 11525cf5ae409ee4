package postgres

// What a test of the export's plans needs.
var (
	ExportPage     = exportPage
	ExportSettings = exportSettings
)
